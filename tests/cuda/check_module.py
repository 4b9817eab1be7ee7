#!/usr/bin/env python3
"""What the CUDA module is made of: its size, what it links and exports, and what its kernels use against their budgets.

usage: check_module.py LIBRARY REPORT.json BUDGETS.json KVC_PROGRAM
"""
import json
import os
import re
import subprocess
import sys


def output(*command, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}")
    return done.stdout


def check_budgets(report, budgets):
    if report["fused"] != 0:
        yield f"the PTX has {report['fused']} fused multiply-adds: results would differ from the library's"
    if set(report["kernels"]) != set(budgets["kernels"]):
        yield f"kernels are {sorted(report['kernels'])}, budgets are for {sorted(budgets['kernels'])}"
        return
    for name, generations in sorted(report["kernels"].items()):
        if sorted(generations, key=int) != budgets["generations"]:
            yield f"{name} is compiled for {sorted(generations, key=int)}, not for {budgets['generations']}"
        for generation, used in sorted(generations.items()):
            for what in ("registers", "spills", "stack"):
                most = budgets["kernels"][name].get(what, 0)
                if used[what] > most:
                    yield f"{name} on sm_{generation} has {used[what]} {what}; its budget is {most}"


def check_library(library, budgets):
    size = os.path.getsize(library)
    if size > budgets["library_bytes"]:
        yield f"the library has {size} bytes; its budget is {budgets['library_bytes']}"
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", library))
    for name in needed:
        if not re.match(r"(libc|libm|libdl|libpthread|ld-linux[-\w]*)\.so", name):
            yield f"it links {name}"
    for line in output("readelf", "--dyn-syms", "-W", library).splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[4] in ("GLOBAL", "WEAK") and fields[6] != "UND" and not fields[7].startswith(("kvc_", "KVC_")):
            yield f"it exports {fields[7]}"
        if len(fields) == 8 and fields[6] == "UND" and re.match(r"cu[A-Z]|cuda|nvml", fields[7]):
            yield f"it needs {fields[7]}, which only a driver has"


def check_info(program, library):
    """What `kvc info` says with the module, and without."""
    device = json.loads(output(program, "info", "--json", KVC_CUDA_MODULE=library))["engine"]["device"]
    if device.get("module") != library or device.get("runtime") not in ("cuda", "none"):
        yield f"kvc info says {device}"
    if device.get("runtime") == "none" and "driver" not in device.get("why", ""):
        yield f"kvc info does not say why there is no device: {device}"
    device = json.loads(output(program, "info", "--json", KVC_CUDA_MODULE="/nowhere/module.so"))["engine"]["device"]
    if device.get("module") != "none" or "/nowhere/module.so" not in device.get("why", ""):
        yield f"without the module, kvc info says {device}"


def main():
    library, report, budgets, program = sys.argv[1:]
    with open(report) as file:
        report = json.load(file)
    with open(budgets) as file:
        budgets = json.load(file)
    problems = [*check_budgets(report, budgets), *check_library(library, budgets)]
    if os.path.exists(program):
        problems += check_info(program, os.path.abspath(library))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"module: {os.path.getsize(library)} bytes, kernels {report['bytes']} bytes, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
