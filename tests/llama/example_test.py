"""Runs bindings/llama/examples, the program without kvc and the one with it.

    python3 example_test.py EXAMPLES ASK ASK_KVC LLAMA_LIB MODULE MODEL
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile
import unittest

EXAMPLES = ASK = ASK_KVC = LIB = MODULE = MODEL = ""
DOCUMENT = "The quick brown fox jumps over the lazy dog. " * 12
QUESTIONS = ("Who jumps?", "Over whom does it jump?")


def ask(program):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as document:
        document.write(DOCUMENT)
        document.flush()
        environment = dict(os.environ, GGML_LIB=LIB, KVC_LLAMA_LIB=LIB, KVC_LLAMA_MODULE=MODULE)
        done = subprocess.run([program, MODEL, document.name, *QUESTIONS], capture_output=True, env=environment, timeout=240)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr.decode()}")
    return [int(n) for n in re.findall(rb"(\d+) tokens computed", done.stderr)]


class Example(unittest.TestCase):
    def test_what_questions_share_is_computed_once(self):
        plain, cached = ask(ASK), ask(ASK_KVC)
        self.assertEqual(len(plain), 2)
        self.assertEqual(plain[0], cached[0])
        self.assertGreater(plain[1], len(DOCUMENT))  # a token for each byte
        self.assertLessEqual(cached[1], plain[1] - len(DOCUMENT))

    def test_kvc_is_added_in_less_than_ten_lines(self):
        texts = []
        for name in ("ask.cpp", "ask_kvc.cpp"):
            with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
                texts.append([line for line in file if not line.startswith("//")])
        lines = list(difflib.ndiff(*texts))
        self.assertEqual([line for line in lines if line.startswith("- ")], [])
        self.assertLess(len([line for line in lines if line.startswith("+ ")]), 10)


if __name__ == "__main__":
    EXAMPLES, ASK, ASK_KVC, LIB, MODULE, MODEL = sys.argv[1:7]
    unittest.main(argv=[sys.argv[0], *sys.argv[7:]], verbosity=2)
