"""The measuring half of bench/demo: runs the kvc program, prints tables, has plot_demo.py draw them.

    python3 bench/demo_run.py --kvc build/release/bin/kvc --out build/demo [--model FILE.gguf]

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


class Builtin:
    """The model in the library: it continues an old book, and is asked about that book's first chapter."""
    name = "built-in model"
    picture = "demo.svg"
    options = []
    document = os.path.join(HERE, "data", "genesis-1.txt")
    answer_tokens = 40
    differ = "DIFFERENT"
    stop = ["\n"]
    note = "The built-in model is tiny: its text shows that answers stay equal, not that they are wise."
    questions = [
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

    def first_prompt(self, text):
        return text

    def turn(self, text, question, first):
        return (text if first else "\n") + f"And they asked him, {question} And he said, "


class ModelFile:
    """A model that follows instructions (ChatML), asked about this project's licence."""
    picture = "demo-model.svg"
    document = os.path.join(HERE, "..", "LICENSE")
    answer_tokens = 48
    # A prompt's last tokens are computed alone when the others come from the cache, and in a longer batch otherwise.
    differ = "not all equal: llama.cpp rounds short batches otherwise than long ones"
    stop = ["<|im_end|>"]
    note = "A model of this size is often wrong; kvc's part is that its answers come sooner."
    questions = [
        "What is the name of this document?",
        "May I sell a program that contains the Work?",
        "What must I give to people who get a copy of the Work from me?",
        "What happens to my patent license if I sue somebody over a patent in the Work?",
        "May I use the trade names of the Licensor?",
        "Does the Licensor give any warranty?",
    ]

    def __init__(self, file, threads):
        self.name = os.path.splitext(os.path.basename(os.path.realpath(file)))[0]
        self.options = ["--model", file] + (["--set", f"model_threads={threads}"] if threads else [])

    def first_prompt(self, text):
        return self.turn(text, "Sum this document up.", True)

    def turn(self, text, question, first):
        begin = f"<|im_start|>system\nAnswer in one sentence, from the document.<|im_end|>\n<|im_start|>user\n{text}\n\n"
        more = "<|im_end|>\n<|im_start|>user\n"
        return (begin if first else more) + f"{question}<|im_end|>\n<|im_start|>assistant\n"


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


def cold_and_warm(kvc, subject):
    """The same prompt twice: returns (cold, warm)."""
    tell("one long prompt, cold and warm")
    with open(subject.document) as file:
        prompt = subject.first_prompt(file.read())
    stops = [word for stop in subject.stop[:1] if stop != "\n" for word in ("--stop", stop)]
    cold, warm = run(kvc, "--prompt", prompt, "--repeat", "2", "--max-tokens", "64", *stops, *subject.options)
    print(f"1. One prompt of {cold['prompt_tokens']:,} tokens, answered twice\n")
    print(f"{'':12}{'cached':>8}{'computed':>10}{'first token':>13}{'whole answer':>14}")
    for name, answer in (("cold", cold), ("warm", warm)):
        print(f"{name:12}{answer['cached_tokens']:>8,}{answer['computed_tokens']:>10,}"
              f"{seconds(answer, 'ttft_ns'):>11.4f} s{seconds(answer):>12.3f} s")
    faster = cold["ttft_ns"] / max(warm["ttft_ns"], 1)
    print(f"\n   first token {faster:,.0f} times faster; {seconds(cold) - seconds(warm):.3f} s saved; "
          f"the answers are {'equal' if cold['tokens'] == warm['tokens'] else subject.differ}\n")
    print(shown(warm["text"]))
    return cold, warm


def conversation(kvc, subject, *options):
    """Questions over one document, on one engine: each prompt is all that was said before, and a question."""
    words = ["--conversation", "--max-tokens", str(subject.answer_tokens)]
    for stop in subject.stop:
        words += ["--stop", stop]
    with open(subject.document) as file:
        text = file.read()
    for i, question in enumerate(subject.questions):
        words += ["--prompt", subject.turn(text, question, i == 0)]
    return run(kvc, *words, *subject.options, *options)


def compare(kvc, subject):
    """The conversation with and without kvc: returns (with, without)."""
    tell(f"a conversation of {len(subject.questions)} questions, with kvc")
    reused = conversation(kvc, subject)
    tell("the same conversation, without")
    computed = conversation(kvc, subject, "--no-cache")
    print(f"\n2. A conversation: {len(subject.questions)} questions over one document, with and without kvc\n")
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
          f"the answers are {'equal' if same else subject.differ}\n")
    for question, answer in zip(subject.questions, reused):
        print(f"    {question}\n" + shown(answer["text"] or "(nothing)"))
    return reused, computed, same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvc", required=True, help="the kvc program")
    parser.add_argument("--out", required=True, help="folder for the picture")
    parser.add_argument("--model", default="builtin", help="builtin, or a GGUF file")
    parser.add_argument("--threads", type=int, default=0, help="of a model file; default: one for each processor")
    args = parser.parse_args()
    kvc = os.path.abspath(args.kvc)
    subject = Builtin() if args.model == "builtin" else ModelFile(args.model, args.threads)

    cold, warm = cold_and_warm(kvc, subject)
    reused, computed, same = compare(kvc, subject)

    os.makedirs(args.out, exist_ok=True)
    picture = os.path.join(args.out, subject.picture)
    with open(picture, "w") as file:
        file.write(plot_demo.draw(subject.name, cold, warm, reused, computed))
    print(f"\n{subject.note}\nThe picture: {picture}")
    sys.exit(0 if (same and cold["tokens"] == warm["tokens"]) or subject.differ != "DIFFERENT" else 1)


if __name__ == "__main__":
    main()
