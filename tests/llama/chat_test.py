"""Holds conversations with kvc run --chat, as a user does at a terminal or through a pipe.

    python3 chat_test.py KVC LLAMA_LIB MODULE TINY_MODEL REAL_MODEL
"""
import json
import os
import subprocess
import sys
import unittest

KVC = LIB = MODULE = TINY = REAL = ""


def chat(model, *words, stdin=""):
    command = [KVC, "run", "--chat", "--model", model, "--set", "model_library=" + LIB, "--set", "model_module=" + MODULE,
               "--set", "model_threads=1", "--set", "page_tokens=16", *words]
    return subprocess.run(command, input=stdin, capture_output=True, encoding="utf-8", errors="replace", timeout=240)


class Chat(unittest.TestCase):
    def answers(self, model, *words, **keys):
        done = chat(model, "--json", *words, **keys)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def assert_turns_reuse_the_ones_before(self, turns):
        self.assertEqual(turns[0]["cached_tokens"], 0)
        for before, turn in zip(turns, turns[1:]):
            # All of it but for the tokens of the page that was not full.
            self.assertGreater(turn["cached_tokens"], before["prompt_tokens"] - 16)
            self.assertGreater(turn["prompt_tokens"], before["prompt_tokens"] + 8)

    def test_each_turn_sends_all_that_was_said_and_computes_what_is_new(self):
        turns = self.answers(TINY, "--system", "Be brief.", "--prompt", "Hello there", "--prompt", "Go on",
                             "--prompt", "And then?", "--max-tokens", "8")
        self.assertEqual(len(turns), 3)
        self.assert_turns_reuse_the_ones_before(turns)

    def test_lines_of_standard_input_are_what_prompts_are(self):
        given = self.answers(TINY, "--prompt", "Hello there", "--prompt", "Go on", "--max-tokens", "8")
        read = self.answers(TINY, "--max-tokens", "8", stdin="Hello there\n\nGo on")
        self.assertEqual([turn["tokens"] for turn in given], [turn["tokens"] for turn in read])

    def test_answers_go_to_stdout_and_what_was_cached_to_stderr(self):
        turns = self.answers(TINY, "--prompt", "Hello there", "--prompt", "Go on", "--max-tokens", "8")
        done = chat(TINY, "--max-tokens", "8", stdin="Hello there\nGo on\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "".join(turn["text"] + "\n" for turn in turns))
        self.assertIn(f"{turns[0]['prompt_tokens']} prompt tokens: 0 cached", done.stderr)
        self.assertIn(f"{turns[1]['prompt_tokens']} prompt tokens: {turns[1]['cached_tokens']} cached", done.stderr)

    def test_a_conversation_longer_than_the_context_is_refused_with_words(self):
        done = chat(TINY, "--set", "model_context=128", "--max-tokens", "16", stdin="Hello\n" + 200 * "x" + "\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("KVC_E_CONTEXT", done.stderr)

    def test_a_real_model_remembers_what_it_was_told(self):
        if not os.path.exists(REAL):
            self.skipTest("SKIPPED: no real model in build/llama; bindings/llama/setup fetches it")
        turns = self.answers(REAL, "--prompt", "What is the capital of France?", "--prompt",
                             "And what is the capital of Italy?", "--max-tokens", "24")
        self.assertIn("Paris", turns[0]["text"])
        self.assertIn("Rome", turns[1]["text"])
        # The second prompt begins with the first and its answer; a partly filled page counts as well.
        self.assertEqual(turns[0]["cached_tokens"], 0)
        self.assertGreaterEqual(turns[1]["cached_tokens"], turns[0]["prompt_tokens"])


if __name__ == "__main__":
    KVC, LIB, MODULE, TINY, REAL = sys.argv[1:6]
    unittest.main(argv=[sys.argv[0], *sys.argv[6:]], verbosity=2)
