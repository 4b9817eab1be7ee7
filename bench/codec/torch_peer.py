#!/usr/bin/env python3
"""Decode attention of PyTorch's scaled_dot_product_attention on this processor, beside `kvc bench attend` in the same run.

usage: bench/codec/torch_peer.py [--kvc build/release/bin/kvc] [--rounds 3] [--json]

Needs torch (PyPI). The shape is that of `kvc bench attend`: one token's 9 query heads over 4,096 tokens of 30 layers, 3 K/V heads of 64, one
thread. PyTorch gets the query heads of one K/V head as rows, so that it reads K and V once for them. The two take turns; the best round of
each counts. Keys: torch_<dtype>_ns_per_row (a row is K and V of one token and head), and attend_int4_vs_torch_<dtype>, how many times faster
attention over int4 pages is.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time

LAYERS, TOKENS, KV_HEADS, GROUP, DIM = 30, 4096, 3, 3, 64
DTYPES = ("float32", "bfloat16", "float16")


def torch_round(torch, dtype):
    """The shortest of some passes over all layers, in ns per row."""
    kind = getattr(torch, dtype)
    keys = [torch.randn(1, KV_HEADS, TOKENS, DIM).to(kind) for _ in range(LAYERS)]
    values = [torch.randn(1, KV_HEADS, TOKENS, DIM).to(kind) for _ in range(LAYERS)]
    query = torch.randn(1, KV_HEADS, GROUP, DIM).to(kind)
    best = float("inf")
    for _ in range(10):
        began = time.thread_time()
        for key, value in zip(keys, values):
            torch.nn.functional.scaled_dot_product_attention(query, key, value)
        best = min(best, time.thread_time() - began)
    return best / (LAYERS * TOKENS * KV_HEADS) * 1e9


def main():
    home = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvc", default=str(home / "build/release/bin/kvc"), help="the program kvc")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    args = parser.parse_args()
    try:
        import torch
    except ImportError as why:
        print(f"torch_peer: PyTorch is not measured: {why}; pip install torch", file=sys.stderr)
        return 1
    torch.set_num_threads(1)
    own, theirs = [], {dtype: [] for dtype in DTYPES}
    with torch.inference_mode():
        for _ in range(args.rounds):
            run = subprocess.run([args.kvc, "bench", "attend", "--json"], check=True, stdout=subprocess.PIPE, text=True)
            figures = json.loads(run.stdout)
            figures = figures.get("figures", figures)
            if "attend_int4_4k_ns_per_row" not in figures:
                print("torch_peer: kvc measured no 4,096 tokens; bindings/llama/setup brings what it needs", file=sys.stderr)
                return 1
            own.append(figures["attend_int4_4k_ns_per_row"])
            for dtype in DTYPES:
                theirs[dtype].append(torch_round(torch, dtype))
    result = {"torch": torch.__version__, "attend_int4_4k_ns_per_row": min(own)}
    for dtype in DTYPES:
        result[f"torch_{dtype}_ns_per_row"] = min(theirs[dtype])
        result[f"attend_int4_vs_torch_{dtype}"] = min(theirs[dtype]) / min(own)
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        for key, value in result.items():
            print(f"{key:34} {value if isinstance(value, str) else f'{value:.3g}'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
