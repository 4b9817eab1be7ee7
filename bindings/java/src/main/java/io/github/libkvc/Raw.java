// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** The functions of kvc.h; addresses are longs. A function is looked up when it is first called. */
final class Raw {
    private Raw() {}

    static final String VERSION = "0.1.0";
    static final int ABI_VERSION = 0;

    private static final class Of_kvc_version_string {
        static final MethodHandle CALL = Library.function("kvc_version_string", FunctionDescriptor.of(JAVA_LONG));
    }

    static long kvc_version_string() {
        try {
            return (long) Of_kvc_version_string.CALL.invokeExact();
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_abi_version {
        static final MethodHandle CALL = Library.function("kvc_abi_version", FunctionDescriptor.of(JAVA_INT));
    }

    static int kvc_abi_version() {
        try {
            return (int) Of_kvc_abi_version.CALL.invokeExact();
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_build_info {
        static final MethodHandle CALL = Library.function("kvc_build_info", FunctionDescriptor.of(JAVA_LONG));
    }

    static long kvc_build_info() {
        try {
            return (long) Of_kvc_build_info.CALL.invokeExact();
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_has_feature {
        static final MethodHandle CALL = Library.function("kvc_has_feature", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));
    }

    static int kvc_has_feature(long name) {
        try {
            return (int) Of_kvc_has_feature.CALL.invokeExact(name);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_status_name {
        static final MethodHandle CALL = Library.function("kvc_status_name", FunctionDescriptor.of(JAVA_LONG, JAVA_INT));
    }

    static long kvc_status_name(int status) {
        try {
            return (long) Of_kvc_status_name.CALL.invokeExact(status);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_status_text {
        static final MethodHandle CALL = Library.function("kvc_status_text", FunctionDescriptor.of(JAVA_LONG, JAVA_INT));
    }

    static long kvc_status_text(int status) {
        try {
            return (long) Of_kvc_status_text.CALL.invokeExact(status);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_create {
        static final MethodHandle CALL = Library.function("kvc_config_create", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_create(long preset, long config) {
        try {
            return (int) Of_kvc_config_create.CALL.invokeExact(preset, config);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_destroy {
        static final MethodHandle CALL = Library.function("kvc_config_destroy", FunctionDescriptor.ofVoid(JAVA_LONG));
    }

    static void kvc_config_destroy(long config) {
        try {
            Of_kvc_config_destroy.CALL.invokeExact(config);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set {
        static final MethodHandle CALL = Library.function("kvc_config_set", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set(long config, long key, long value) {
        try {
            return (int) Of_kvc_config_set.CALL.invokeExact(config, key, value);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_get {
        static final MethodHandle CALL = Library.function("kvc_config_get", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_get(long config, long key, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_config_get.CALL.invokeExact(config, key, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_last_error {
        static final MethodHandle CALL = Library.function("kvc_config_last_error", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static long kvc_config_last_error(long config, long buffer, long capacity) {
        try {
            return (long) Of_kvc_config_last_error.CALL.invokeExact(config, buffer, capacity);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set_backend {
        static final MethodHandle CALL = Library.function("kvc_config_set_backend", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set_backend(long config, long backend) {
        try {
            return (int) Of_kvc_config_set_backend.CALL.invokeExact(config, backend);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set_allocator {
        static final MethodHandle CALL = Library.function("kvc_config_set_allocator", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set_allocator(long config, long allocator) {
        try {
            return (int) Of_kvc_config_set_allocator.CALL.invokeExact(config, allocator);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set_logger {
        static final MethodHandle CALL = Library.function("kvc_config_set_logger", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set_logger(long config, long logger) {
        try {
            return (int) Of_kvc_config_set_logger.CALL.invokeExact(config, logger);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set_clock {
        static final MethodHandle CALL = Library.function("kvc_config_set_clock", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set_clock(long config, long clock) {
        try {
            return (int) Of_kvc_config_set_clock.CALL.invokeExact(config, clock);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set_policy {
        static final MethodHandle CALL = Library.function("kvc_config_set_policy", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set_policy(long config, long policy) {
        try {
            return (int) Of_kvc_config_set_policy.CALL.invokeExact(config, policy);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_set_codec {
        static final MethodHandle CALL = Library.function("kvc_config_set_codec", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_set_codec(long config, long codec) {
        try {
            return (int) Of_kvc_config_set_codec.CALL.invokeExact(config, codec);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_option_count {
        static final MethodHandle CALL = Library.function("kvc_option_count", FunctionDescriptor.of(JAVA_INT));
    }

    static int kvc_option_count() {
        try {
            return (int) Of_kvc_option_count.CALL.invokeExact();
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_option_info {
        static final MethodHandle CALL = Library.function("kvc_option_info", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    }

    static int kvc_option_info(int index, long info) {
        try {
            return (int) Of_kvc_option_info.CALL.invokeExact(index, info);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_engine_create {
        static final MethodHandle CALL = Library.function("kvc_engine_create", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_engine_create(long config, long engine) {
        try {
            return (int) Of_kvc_engine_create.CALL.invokeExact(config, engine);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_engine_create_with_error {
        static final MethodHandle CALL = Library.function("kvc_engine_create_with_error", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_engine_create_with_error(long config, long engine, long error) {
        try {
            return (int) Of_kvc_engine_create_with_error.CALL.invokeExact(config, engine, error);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_engine_destroy {
        static final MethodHandle CALL = Library.function("kvc_engine_destroy", FunctionDescriptor.ofVoid(JAVA_LONG));
    }

    static void kvc_engine_destroy(long engine) {
        try {
            Of_kvc_engine_destroy.CALL.invokeExact(engine);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_engine_last_error {
        static final MethodHandle CALL = Library.function("kvc_engine_last_error", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static long kvc_engine_last_error(long engine, long buffer, long capacity) {
        try {
            return (long) Of_kvc_engine_last_error.CALL.invokeExact(engine, buffer, capacity);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_engine_info {
        static final MethodHandle CALL = Library.function("kvc_engine_info", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_engine_info(long engine, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_engine_info.CALL.invokeExact(engine, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_request_init {
        static final MethodHandle CALL = Library.function("kvc_request_init", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_request_init(long request, long size) {
        try {
            return (int) Of_kvc_request_init.CALL.invokeExact(request, size);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_process {
        static final MethodHandle CALL = Library.function("kvc_process", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_process(long engine, long request, long response) {
        try {
            return (int) Of_kvc_process.CALL.invokeExact(engine, request, response);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_process_batch {
        static final MethodHandle CALL = Library.function("kvc_process_batch", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_process_batch(long engine, long requests, long n, long responses) {
        try {
            return (int) Of_kvc_process_batch.CALL.invokeExact(engine, requests, n, responses);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_submit {
        static final MethodHandle CALL = Library.function("kvc_submit", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_submit(long engine, long request, long ticket) {
        try {
            return (int) Of_kvc_submit.CALL.invokeExact(engine, request, ticket);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_wait {
        static final MethodHandle CALL = Library.function("kvc_wait", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_wait(long engine, long ticket, long timeoutNs, long response) {
        try {
            return (int) Of_kvc_wait.CALL.invokeExact(engine, ticket, timeoutNs, response);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_poll {
        static final MethodHandle CALL = Library.function("kvc_poll", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_poll(long engine, long tickets, long capacity, long n) {
        try {
            return (int) Of_kvc_poll.CALL.invokeExact(engine, tickets, capacity, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_next {
        static final MethodHandle CALL = Library.function("kvc_next", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_next(long engine, long ticket, long timeoutNs, long buffer, long capacity, long textSize) {
        try {
            return (int) Of_kvc_next.CALL.invokeExact(engine, ticket, timeoutNs, buffer, capacity, textSize);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_cancel {
        static final MethodHandle CALL = Library.function("kvc_cancel", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_cancel(long engine, long ticket) {
        try {
            return (int) Of_kvc_cancel.CALL.invokeExact(engine, ticket);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_ticket_free {
        static final MethodHandle CALL = Library.function("kvc_ticket_free", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_ticket_free(long engine, long ticket) {
        try {
            return (int) Of_kvc_ticket_free.CALL.invokeExact(engine, ticket);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_step {
        static final MethodHandle CALL = Library.function("kvc_step", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_step(long engine, long busy) {
        try {
            return (int) Of_kvc_step.CALL.invokeExact(engine, busy);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_response_free {
        static final MethodHandle CALL = Library.function("kvc_response_free", FunctionDescriptor.ofVoid(JAVA_LONG));
    }

    static void kvc_response_free(long response) {
        try {
            Of_kvc_response_free.CALL.invokeExact(response);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_chat_text {
        static final MethodHandle CALL = Library.function("kvc_chat_text", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_chat_text(long engine, long messages, long n, int answer, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_chat_text.CALL.invokeExact(engine, messages, n, answer, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_tokenize {
        static final MethodHandle CALL = Library.function("kvc_tokenize", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_tokenize(long engine, long text, long textSize, long tokens, long capacity, long n) {
        try {
            return (int) Of_kvc_tokenize.CALL.invokeExact(engine, text, textSize, tokens, capacity, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_detokenize {
        static final MethodHandle CALL = Library.function("kvc_detokenize", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_detokenize(long engine, long tokens, long n, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_detokenize.CALL.invokeExact(engine, tokens, n, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_space_desc_init {
        static final MethodHandle CALL = Library.function("kvc_space_desc_init", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_space_desc_init(long desc, long size) {
        try {
            return (int) Of_kvc_space_desc_init.CALL.invokeExact(desc, size);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_space_open {
        static final MethodHandle CALL = Library.function("kvc_space_open", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_space_open(long engine, long desc, long space) {
        try {
            return (int) Of_kvc_space_open.CALL.invokeExact(engine, desc, space);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_engine_space {
        static final MethodHandle CALL = Library.function("kvc_engine_space", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_engine_space(long engine, long space) {
        try {
            return (int) Of_kvc_engine_space.CALL.invokeExact(engine, space);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_space_close {
        static final MethodHandle CALL = Library.function("kvc_space_close", FunctionDescriptor.ofVoid(JAVA_LONG));
    }

    static void kvc_space_close(long space) {
        try {
            Of_kvc_space_close.CALL.invokeExact(space);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_space_info {
        static final MethodHandle CALL = Library.function("kvc_space_info", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_space_info(long space, long info) {
        try {
            return (int) Of_kvc_space_info.CALL.invokeExact(space, info);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_space_diff {
        static final MethodHandle CALL = Library.function("kvc_space_diff", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_space_diff(long a, long b, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_space_diff.CALL.invokeExact(a, b, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_space_page_ids {
        static final MethodHandle CALL = Library.function("kvc_space_page_ids", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_space_page_ids(long space, long tenant, long tokens, long nTokens, long ids, long capacity, long n) {
        try {
            return (int) Of_kvc_space_page_ids.CALL.invokeExact(space, tenant, tokens, nTokens, ids, capacity, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_tensor_thd {
        static final MethodHandle CALL = Library.function("kvc_tensor_thd", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT));
    }

    static int kvc_tensor_thd(long tensor, long data, int dtype, long tokens, int heads, int dim) {
        try {
            return (int) Of_kvc_tensor_thd.CALL.invokeExact(tensor, data, dtype, tokens, heads, dim);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_tensor_htd {
        static final MethodHandle CALL = Library.function("kvc_tensor_htd", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT));
    }

    static int kvc_tensor_htd(long tensor, long data, int dtype, long tokens, int heads, int dim) {
        try {
            return (int) Of_kvc_tensor_htd.CALL.invokeExact(tensor, data, dtype, tokens, heads, dim);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_open {
        static final MethodHandle CALL = Library.function("kvc_session_open", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_open(long space, long options, long session) {
        try {
            return (int) Of_kvc_session_open.CALL.invokeExact(space, options, session);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_close {
        static final MethodHandle CALL = Library.function("kvc_session_close", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG));
    }

    static int kvc_session_close(long session, int hint, long untilNs) {
        try {
            return (int) Of_kvc_session_close.CALL.invokeExact(session, hint, untilNs);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_match {
        static final MethodHandle CALL = Library.function("kvc_session_match", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_match(long session, long tokens, long n, long reused) {
        try {
            return (int) Of_kvc_session_match.CALL.invokeExact(session, tokens, n, reused);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_miss {
        static final MethodHandle CALL = Library.function("kvc_session_miss", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_miss(long session, long reason, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_session_miss.CALL.invokeExact(session, reason, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_append {
        static final MethodHandle CALL = Library.function("kvc_session_append", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_append(long session, int layer, long k, long v, long n) {
        try {
            return (int) Of_kvc_session_append.CALL.invokeExact(session, layer, k, v, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_append_all {
        static final MethodHandle CALL = Library.function("kvc_session_append_all", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));
    }

    static int kvc_session_append_all(long session, long k, long v, int nLayers, long n) {
        try {
            return (int) Of_kvc_session_append_all.CALL.invokeExact(session, k, v, nLayers, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_commit {
        static final MethodHandle CALL = Library.function("kvc_session_commit", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_commit(long session, long tokens, long n) {
        try {
            return (int) Of_kvc_session_commit.CALL.invokeExact(session, tokens, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_read {
        static final MethodHandle CALL = Library.function("kvc_session_read", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_read(long session, int layer, int plane, long from, long n, long out) {
        try {
            return (int) Of_kvc_session_read.CALL.invokeExact(session, layer, plane, from, n, out);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_read_all {
        static final MethodHandle CALL = Library.function("kvc_session_read_all", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT));
    }

    static int kvc_session_read_all(long session, long from, long n, long k, long v, int nLayers) {
        try {
            return (int) Of_kvc_session_read_all.CALL.invokeExact(session, from, n, k, v, nLayers);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_attend_init {
        static final MethodHandle CALL = Library.function("kvc_attend_init", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_attend_init(long how, long size) {
        try {
            return (int) Of_kvc_attend_init.CALL.invokeExact(how, size);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_attend {
        static final MethodHandle CALL = Library.function("kvc_session_attend", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_attend(long session, int layer, long how, long query, long out) {
        try {
            return (int) Of_kvc_session_attend.CALL.invokeExact(session, layer, how, query, out);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_truncate {
        static final MethodHandle CALL = Library.function("kvc_session_truncate", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_truncate(long session, long n) {
        try {
            return (int) Of_kvc_session_truncate.CALL.invokeExact(session, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_fork {
        static final MethodHandle CALL = Library.function("kvc_session_fork", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_fork(long session, long fork) {
        try {
            return (int) Of_kvc_session_fork.CALL.invokeExact(session, fork);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_pin {
        static final MethodHandle CALL = Library.function("kvc_session_pin", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    }

    static int kvc_session_pin(long session, int pinned) {
        try {
            return (int) Of_kvc_session_pin.CALL.invokeExact(session, pinned);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_set_priority {
        static final MethodHandle CALL = Library.function("kvc_session_set_priority", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    }

    static int kvc_session_set_priority(long session, int priority) {
        try {
            return (int) Of_kvc_session_set_priority.CALL.invokeExact(session, priority);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_hint {
        static final MethodHandle CALL = Library.function("kvc_session_hint", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    }

    static int kvc_session_hint(long session, int hint) {
        try {
            return (int) Of_kvc_session_hint.CALL.invokeExact(session, hint);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_expect {
        static final MethodHandle CALL = Library.function("kvc_session_expect", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_expect(long session, long inNs) {
        try {
            return (int) Of_kvc_session_expect.CALL.invokeExact(session, inNs);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_generated {
        static final MethodHandle CALL = Library.function("kvc_session_generated", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_generated(long session, long tokens) {
        try {
            return (int) Of_kvc_session_generated.CALL.invokeExact(session, tokens);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_info {
        static final MethodHandle CALL = Library.function("kvc_session_info", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_info(long session, long info) {
        try {
            return (int) Of_kvc_session_info.CALL.invokeExact(session, info);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_tokens {
        static final MethodHandle CALL = Library.function("kvc_session_tokens", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_session_tokens(long session, long from, long n, long tokens) {
        try {
            return (int) Of_kvc_session_tokens.CALL.invokeExact(session, from, n, tokens);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_session_last_error {
        static final MethodHandle CALL = Library.function("kvc_session_last_error", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static long kvc_session_last_error(long session, long buffer, long capacity) {
        try {
            return (long) Of_kvc_session_last_error.CALL.invokeExact(session, buffer, capacity);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_put {
        static final MethodHandle CALL = Library.function("kvc_put", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_put(long engine, long tenant, long key, long keySize, long tensor) {
        try {
            return (int) Of_kvc_put.CALL.invokeExact(engine, tenant, key, keySize, tensor);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_put_with {
        static final MethodHandle CALL = Library.function("kvc_put_with", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_put_with(long engine, long tenant, long key, long keySize, long tensor, long options) {
        try {
            return (int) Of_kvc_put_with.CALL.invokeExact(engine, tenant, key, keySize, tensor, options);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_tensor_info {
        static final MethodHandle CALL = Library.function("kvc_tensor_info", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_tensor_info(long engine, long tenant, long key, long keySize, long info, long found) {
        try {
            return (int) Of_kvc_tensor_info.CALL.invokeExact(engine, tenant, key, keySize, info, found);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_get {
        static final MethodHandle CALL = Library.function("kvc_get", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_get(long engine, long tenant, long key, long keySize, long tensor, long found) {
        try {
            return (int) Of_kvc_get.CALL.invokeExact(engine, tenant, key, keySize, tensor, found);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_contains {
        static final MethodHandle CALL = Library.function("kvc_contains", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_contains(long engine, long tenant, long key, long keySize, long found) {
        try {
            return (int) Of_kvc_contains.CALL.invokeExact(engine, tenant, key, keySize, found);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_remove {
        static final MethodHandle CALL = Library.function("kvc_remove", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_remove(long engine, long tenant, long key, long keySize, long removed) {
        try {
            return (int) Of_kvc_remove.CALL.invokeExact(engine, tenant, key, keySize, removed);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_page_iter_open {
        static final MethodHandle CALL = Library.function("kvc_page_iter_open", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_page_iter_open(long engine, long tenant, long iter) {
        try {
            return (int) Of_kvc_page_iter_open.CALL.invokeExact(engine, tenant, iter);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_page_iter_next {
        static final MethodHandle CALL = Library.function("kvc_page_iter_next", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_page_iter_next(long iter, long info) {
        try {
            return (int) Of_kvc_page_iter_next.CALL.invokeExact(iter, info);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_page_iter_close {
        static final MethodHandle CALL = Library.function("kvc_page_iter_close", FunctionDescriptor.ofVoid(JAVA_LONG));
    }

    static void kvc_page_iter_close(long iter) {
        try {
            Of_kvc_page_iter_close.CALL.invokeExact(iter);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_page_info {
        static final MethodHandle CALL = Library.function("kvc_page_info", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_page_info(long engine, long id, long info) {
        try {
            return (int) Of_kvc_page_info.CALL.invokeExact(engine, id, info);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_page_tokens {
        static final MethodHandle CALL = Library.function("kvc_page_tokens", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_page_tokens(long engine, long id, long tokens, long capacity, long n) {
        try {
            return (int) Of_kvc_page_tokens.CALL.invokeExact(engine, id, tokens, capacity, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_trim {
        static final MethodHandle CALL = Library.function("kvc_trim", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_trim(long engine, long bytes, long freed) {
        try {
            return (int) Of_kvc_trim.CALL.invokeExact(engine, bytes, freed);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_persist {
        static final MethodHandle CALL = Library.function("kvc_persist", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_persist(long engine, long timeoutNs) {
        try {
            return (int) Of_kvc_persist.CALL.invokeExact(engine, timeoutNs);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_persist_to {
        static final MethodHandle CALL = Library.function("kvc_persist_to", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_persist_to(long engine, long tenant, long path, long n) {
        try {
            return (int) Of_kvc_persist_to.CALL.invokeExact(engine, tenant, path, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_load {
        static final MethodHandle CALL = Library.function("kvc_load", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_load(long engine, long path, long n) {
        try {
            return (int) Of_kvc_load.CALL.invokeExact(engine, path, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_tenant_purge {
        static final MethodHandle CALL = Library.function("kvc_tenant_purge", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_tenant_purge(long engine, long tenant, long n) {
        try {
            return (int) Of_kvc_tenant_purge.CALL.invokeExact(engine, tenant, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_pack_write {
        static final MethodHandle CALL = Library.function("kvc_pack_write", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_pack_write(long space, long tenant, long tokens, long nTokens, long path, long n) {
        try {
            return (int) Of_kvc_pack_write.CALL.invokeExact(space, tenant, tokens, nTokens, path, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_pack_open {
        static final MethodHandle CALL = Library.function("kvc_pack_open", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_pack_open(long engine, long path, long n) {
        try {
            return (int) Of_kvc_pack_open.CALL.invokeExact(engine, path, n);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_store_inspect {
        static final MethodHandle CALL = Library.function("kvc_store_inspect", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_store_inspect(long path, long key, long report, long error) {
        try {
            return (int) Of_kvc_store_inspect.CALL.invokeExact(path, key, report, error);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_store_verify {
        static final MethodHandle CALL = Library.function("kvc_store_verify", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_store_verify(long path, long key, long progress, long userData, long report, long error) {
        try {
            return (int) Of_kvc_store_verify.CALL.invokeExact(path, key, progress, userData, report, error);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_store_compact {
        static final MethodHandle CALL = Library.function("kvc_store_compact", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_store_compact(long path, long key, long progress, long userData, long report, long error) {
        try {
            return (int) Of_kvc_store_compact.CALL.invokeExact(path, key, progress, userData, report, error);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_store_text {
        static final MethodHandle CALL = Library.function("kvc_store_text", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_store_text(long path, long key, long name, long buffer, long capacity, long length, long error) {
        try {
            return (int) Of_kvc_store_text.CALL.invokeExact(path, key, name, buffer, capacity, length, error);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_config_load {
        static final MethodHandle CALL = Library.function("kvc_config_load", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_config_load(long config, long path, long key) {
        try {
            return (int) Of_kvc_config_load.CALL.invokeExact(config, path, key);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_stats {
        static final MethodHandle CALL = Library.function("kvc_stats", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_stats(long engine, long stats) {
        try {
            return (int) Of_kvc_stats.CALL.invokeExact(engine, stats);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_whatif {
        static final MethodHandle CALL = Library.function("kvc_whatif", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_whatif(long engine, long budget, long policy, long result) {
        try {
            return (int) Of_kvc_whatif.CALL.invokeExact(engine, budget, policy, result);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_trace_start {
        static final MethodHandle CALL = Library.function("kvc_trace_start", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_trace_start(long engine, long path) {
        try {
            return (int) Of_kvc_trace_start.CALL.invokeExact(engine, path);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_trace_stop {
        static final MethodHandle CALL = Library.function("kvc_trace_stop", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_trace_stop(long engine, long sessions) {
        try {
            return (int) Of_kvc_trace_stop.CALL.invokeExact(engine, sessions);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_adapt {
        static final MethodHandle CALL = Library.function("kvc_adapt", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_adapt(long engine, long metrics) {
        try {
            return (int) Of_kvc_adapt.CALL.invokeExact(engine, metrics);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    private static final class Of_kvc_module_info {
        static final MethodHandle CALL = Library.function("kvc_module_info", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    static int kvc_module_info(long config, long buffer, long capacity, long length) {
        try {
            return (int) Of_kvc_module_info.CALL.invokeExact(config, buffer, capacity, length);
        } catch (Throwable e) {
            throw Library.unexpected(e);
        }
    }

    /** Functions that kvc calls: what they look like. */
    static final class Callbacks {
        private Callbacks() {}

        static final FunctionDescriptor KVC_STREAM_FN = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_PROGRESS_FN = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_STOP_FN = FunctionDescriptor.of(JAVA_INT, JAVA_LONG);
        static final FunctionDescriptor KVC_MODULE_OPEN_FN = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_MODULE_DESCRIBE_FN = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_ALLOCATOR_ALLOCATE = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_ALLOCATOR_RELEASE = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_LOGGER_LOG = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_INT, JAVA_LONG);
        static final FunctionDescriptor KVC_CLOCK_NOW_NS = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_POLICY_SCORE = FunctionDescriptor.of(JAVA_DOUBLE, JAVA_LONG, JAVA_LONG, JAVA_INT);
        static final FunctionDescriptor KVC_POLICY_REMOVED = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_CODEC_ENCODED_SIZE = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_CODEC_ENCODE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_CODEC_DECODE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_DESCRIBE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_TOKENIZE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_DETOKENIZE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_SEQUENCE_OPEN = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_SEQUENCE_CLOSE = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_FORWARD = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_EXPORT_KV = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_IMPORT_KV = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_TRUNCATE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_DESTROY = FunctionDescriptor.ofVoid(JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_CHAT_TEXT = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_SAVE_STATE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_LOAD_STATE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_BACKEND_SET_STOP = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_MODULE_HOST_SESSION_APPEND_ALL = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG);
        static final FunctionDescriptor KVC_MODULE_HOST_SESSION_READ_ALL = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
        static final FunctionDescriptor KVC_MODULE_HOST_SESSION_INFO = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG);
        static final FunctionDescriptor KVC_MODULE_HOST_SESSION_LAST_ERROR = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    }
}
