"""The measuring half of bench/demo: runs the kvc program, prints tables, has plot_demo.py draw them.

    python3 bench/demo_run.py --kvc build/release/bin/kvc --out build/demo

Everything goes through `kvc run --json`. "Without kvc" is the same program and model with --no-cache: it neither looks
up nor stores, as a program that has no cache would.
"""
import argparse
import json
import os
import subprocess
import sys
import textwrap

import plot_demo

HERE = os.path.dirname(os.path.abspath(__file__))

ANSWER_TOKENS = 40
QUESTIONS = [
    "What did God make in the beginning?",
    "What was upon the face of the deep?",
    "What did God call the light?",
    "What did God call the dry land?",
    "What did the earth bring forth?",
    "What rules over the day?",
    "What did God set in the heaven?",
    "What did the waters bring forth?",
    "What did God bless, and why?",
    "What shall come after these days?",
]


def tell(text):
    print("demo: " + text, file=sys.stderr, flush=True)


def run(kvc, *options):
    """Answers of `kvc run`, as its JSON objects."""
    done = subprocess.run([kvc, "run", "--json", *options], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"demo: '{kvc} run' failed with exit status {done.returncode}")
    return json.loads(done.stdout)


def seconds(answer, field="total_ns"):
    return answer[field] / 1e9


def shown(text, indent="    | "):
    return textwrap.fill(" ".join(text.split()), 100, initial_indent=indent, subsequent_indent=indent)


def cold_and_warm(kvc, document):
    """The same prompt twice: returns (cold, warm)."""
    tell("one long prompt, cold and warm")
    cold, warm = run(kvc, "--file", document, "--repeat", "2", "--max-tokens", "64")
    print(f"1. One prompt of {cold['prompt_tokens']:,} tokens, answered twice\n")
    print(f"{'':12}{'cached':>8}{'computed':>10}{'first token':>13}{'whole answer':>14}")
    for name, answer in (("cold", cold), ("warm", warm)):
        print(f"{name:12}{answer['cached_tokens']:>8,}{answer['computed_tokens']:>10,}"
              f"{seconds(answer, 'ttft_ns'):>11.4f} s{seconds(answer):>12.3f} s")
    faster = cold["ttft_ns"] / max(warm["ttft_ns"], 1)
    print(f"\n   first token {faster:,.0f} times faster; {seconds(cold) - seconds(warm):.3f} s saved; "
          f"the answers are {'equal' if cold['tokens'] == warm['tokens'] else 'DIFFERENT'}\n")
    print(shown(warm["text"]))
    return cold, warm


def conversation(kvc, document, *options):
    """Ten questions over one document, on one engine: each prompt is all that was said before, and a question."""
    words = ["--conversation", "--max-tokens", str(ANSWER_TOKENS), "--stop", "\n"]
    with open(document) as file:
        text = file.read()
    for i, question in enumerate(QUESTIONS):
        asked = f"And they asked him, {question} And he said, "
        words += ["--prompt", (text if i == 0 else "\n") + asked]
    return run(kvc, *words, *options)


def compare(kvc, document):
    """The conversation with and without kvc: returns (with, without)."""
    tell("a conversation of ten questions, with kvc")
    reused = conversation(kvc, document)
    tell("the same conversation, without")
    computed = conversation(kvc, document, "--no-cache")
    print(f"\n2. A conversation: {len(QUESTIONS)} questions over one document, with and without kvc\n")
    head = (f"{'question':>8}{'prompt':>9}{'cached':>9}{'computed':>10}{'with kvc':>12}{'without':>12}"
            f"{'speed-up':>10}{'saved':>11}")
    print(head + "\n" + "-" * len(head))

    def line(name, prompt, cached, fresh, with_s, without_s):
        print(f"{name:>8}{prompt:>9,}{cached:>9,}{fresh:>10,}{with_s:>10.3f} s{without_s:>10.3f} s"
              f"{without_s / with_s:>9.1f}x{without_s - with_s:>9.3f} s")

    for i, (a, b) in enumerate(zip(reused, computed)):
        line(i + 1, a["prompt_tokens"], a["cached_tokens"], a["computed_tokens"], seconds(a), seconds(b))
    print("-" * len(head))
    total = [sum(answer[key] for answer in reused) for key in ("prompt_tokens", "cached_tokens", "computed_tokens")]
    line("all", *total, sum(map(seconds, reused)), sum(map(seconds, computed)))
    same = all(a["tokens"] == b["tokens"] for a, b in zip(reused, computed))
    saved = sum(map(seconds, computed)) - sum(map(seconds, reused))
    first = [sum(seconds(answer, "ttft_ns") for answer in answers) for answers in (reused, computed)]
    print(f"\n   to the first tokens: {first[0]:.3f} s instead of {first[1]:.3f} s, {first[1] / first[0]:.1f} times "
          f"faster; what remains is the writing of answers")
    print(f"   {total[1]:,} of {total[0]:,} prompt tokens came from the cache; {saved:.2f} s saved; "
          f"the answers are {'equal' if same else 'DIFFERENT'}\n")
    for question, answer in zip(QUESTIONS, reused):
        print(f"    {question}\n" + shown(answer["text"] or "(nothing)"))
    return reused, computed, same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvc", required=True, help="the kvc program")
    parser.add_argument("--out", required=True, help="folder for the picture")
    args = parser.parse_args()
    kvc = os.path.abspath(args.kvc)
    document = os.path.join(HERE, "data", "genesis-1.txt")

    cold, warm = cold_and_warm(kvc, document)
    reused, computed, same = compare(kvc, document)

    os.makedirs(args.out, exist_ok=True)
    picture = os.path.join(args.out, "demo.svg")
    with open(picture, "w") as file:
        file.write(plot_demo.draw(cold, warm, reused, computed))
    print(f"\nThe built-in model is tiny: its text shows that answers stay equal, not that they are wise.\n"
          f"The picture: {picture}")
    sys.exit(0 if same and cold["tokens"] == warm["tokens"] else 1)


if __name__ == "__main__":
    main()
