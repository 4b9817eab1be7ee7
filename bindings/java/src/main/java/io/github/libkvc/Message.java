package io.github.libkvc;

/**
 * One message of a conversation.
 *
 * @param role "system", "user", "assistant", or what else the model knows
 * @param content the text
 */
public record Message(String role, String content) {}
