#!/usr/bin/env python3
"""Decode attention of other projects on this device, for the shapes of `kvc bench cuda`: FlashInfer (PyPI flashinfer-python) and
PyTorch's scaled_dot_product_attention, where they are installed.

usage: bench/cuda/peers.py [--json]      prints each beside the copy of a gigabyte within the device, in the same run; without a
device, torch or FlashInfer it says what was skipped, and why.
"""
import json
import sys

SHAPES = {"attend_bf16_group4": (32, 4096, 4), "attend_bf16_group8": (32, 4096, 8), "attend_one_32k": (1, 32768, 4)}
KV_HEADS, DIM, PAGE = 8, 128, 64


def seconds(torch, run, repeat=10, rounds=6):
    """The best of some rounds, as the device's own clock has it."""
    best = float("inf")
    for i in range(rounds + 1):
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        for _ in range(repeat):
            run()
        last.record()
        last.synchronize()
        if i > 0:
            best = min(best, first.elapsed_time(last) / 1e3 / repeat)
    return best


def flashinfer_decode(torch, sequences, tokens, group):
    import flashinfer
    pages = tokens // PAGE
    cache = torch.randn(sequences * pages, 2, KV_HEADS, PAGE, DIM, dtype=torch.bfloat16, device="cuda")
    query = torch.randn(sequences, KV_HEADS * group, DIM, dtype=torch.bfloat16, device="cuda")
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(torch.empty(256 << 20, dtype=torch.uint8, device="cuda"), "HND",
                                                            use_tensor_cores=group >= 4)
    table = torch.arange(sequences * pages, dtype=torch.int32, device="cuda")
    begins = torch.arange(0, sequences * pages + 1, pages, dtype=torch.int32, device="cuda")
    last = torch.full((sequences,), PAGE, dtype=torch.int32, device="cuda")
    wrapper.plan(begins, table, last, KV_HEADS * group, KV_HEADS, DIM, PAGE, q_data_type=torch.bfloat16, kv_data_type=torch.bfloat16)
    return lambda: wrapper.run(query, cache)


def torch_decode(torch, sequences, tokens, group):
    key = torch.randn(sequences, KV_HEADS, tokens, DIM, dtype=torch.bfloat16, device="cuda")
    value = torch.randn_like(key)
    # Query heads of one K/V head as rows: SDPA reads K and V once for them.
    query = torch.randn(sequences, KV_HEADS, group, DIM, dtype=torch.bfloat16, device="cuda")
    return lambda: torch.nn.functional.scaled_dot_product_attention(query, key, value)


def main():
    result = {"bench": "cuda_peers", "figures": {}, "skipped": {}}
    try:
        import torch
        if not torch.cuda.is_available():
            raise RuntimeError("torch finds no device")
        size = 1 << 30
        a, b = (torch.empty(size, dtype=torch.uint8, device="cuda") for _ in range(2))
        peak = 2 * size / seconds(torch, lambda: b.copy_(a))
        result["figures"]["peak_hbm_gb_per_s"] = peak / 1e9
        result["device"] = torch.cuda.get_device_name()
        del a, b
        for peer, make in (("flashinfer", flashinfer_decode), ("torch_sdpa", torch_decode)):
            try:
                for name, (sequences, tokens, group) in SHAPES.items():
                    spent = seconds(torch, make(torch, sequences, tokens, group))
                    bytes_read = sequences * tokens * KV_HEADS * DIM * 2 * 2
                    result["figures"][f"{peer}_{name}"] = bytes_read / spent / peak
            except Exception as error:  # one peer that is not there does not stop the other
                result["skipped"][peer] = f"{type(error).__name__}: {error}"
    except (ImportError, RuntimeError) as error:
        result["skipped"]["all"] = str(error)
    if "--json" in sys.argv:
        print(json.dumps(result))
    else:
        for name, value in result["figures"].items():
            print(f"{name:40} {value:10.4g}")
        for name, why in result["skipped"].items():
            print(f"SKIPPED {name}: {why}")


if __name__ == "__main__":
    main()
