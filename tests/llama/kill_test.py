"""A program with a model file and a directory is killed at any instant, again and again: each life after it answers as one
without a directory does, and finds what was written.

    python3 kill_test.py KVC LLAMA_LIB MODULE MODELS
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest

KVC = LIB = MODULE = MODELS = ""
TURNS = ["Hello there, and welcome to the house by the sea. ", "Go on. ", "And what came then? ", "Tell me more of it. ", "Why is that? ",
         "Is it so?"]


def command(model, *more):
    settings = ["model_library=" + LIB, "model_module=" + MODULE, "model_threads=1", "page_tokens=16", "model_context=2048",
                "model_state_tokens=32", "reproducible=true", "prefill_chunk=32", "prefill_speed=100", *more]
    words = [word for setting in settings for word in ("--set", setting)]
    words += [word for turn in TURNS for word in ("--prompt", turn)]
    return [KVC, "run", "--conversation", "--model", os.path.join(MODELS, model + ".gguf"), "--max-tokens", "8", *words]


def talk(model, *more):
    done = subprocess.run(command(model, *more) + ["--json"], capture_output=True, encoding="utf-8", errors="replace",
                          timeout=240)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def killed(model, *more, answers, seconds):
    """A life that ends some time after so many bytes of its answers."""
    process = subprocess.Popen(command(model, *more), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.read(answers)
    time.sleep(seconds)
    process.kill()
    process.communicate()


class Kill(unittest.TestCase):
    def kills(self, model):
        expected = [turn["tokens"] for turn in talk(model)]
        lives = 3 if os.environ.get("KVC_TEST_QUICK") else 8
        choose = random.Random(7)
        with tempfile.TemporaryDirectory() as folder:
            settings = ("disk_path=" + folder, "disk_interval=10ms")
            for life in range(lives):
                killed(model, *settings, answers=life % 3, seconds=choose.random() * 0.05 * (1 + life % 4))
            # One whole life, which ends by itself; then others are killed: what it wrote stays.
            self.assertEqual(expected, [turn["tokens"] for turn in talk(model, *settings)])
            for life in range(2):
                killed(model, *settings, answers=1, seconds=choose.random() * 0.05)
            again = talk(model, *settings)
            self.assertEqual(expected, [turn["tokens"] for turn in again])
            # All that is whole batches of 32 tokens; a prompt's last token is always computed.
            for turn in again:
                self.assertEqual((turn["prompt_tokens"] - 1) // 32 * 32, turn["cached_tokens"])

    def test_a_model_that_is_kept_in_pages(self):
        self.kills("llama")

    def test_a_recurrent_model(self):
        self.kills("mamba")

    def test_a_model_that_is_both(self):
        self.kills("hybrid")


if __name__ == "__main__":
    KVC, LIB, MODULE, MODELS = sys.argv[1:5]
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
