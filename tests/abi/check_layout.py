#!/usr/bin/env python3
"""The layout of every public struct and the value of every constant are what tests/abi/layout.json says.

layout.c prints them as the compiler sees them. The bindings compare their own declarations with the same file.

usage: check_layout.py COMPILER INCLUDE_DIR WORK_DIR
"""
import json
import re
import subprocess
import sys
from pathlib import Path

import kvc_header

HERE = Path(__file__).resolve().parent


def run_layout(compiler, include, work):
    work.mkdir(parents=True, exist_ok=True)
    program = work / "layout"
    subprocess.run([compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{include}", str(HERE / "layout.c"), "-o",
                    str(program)], check=True)
    return subprocess.run([str(program.resolve())], check=True, capture_output=True, text=True).stdout


def coverage(measured, header):
    """What kvc.h has and layout.c does not print. Counts raw keywords too, in case the header's reader is fooled."""
    raw_structs = set(re.findall(r"^typedef struct (\w+) \{", header.text, flags=re.M))
    for name in sorted(raw_structs - measured["structs"].keys()):
        yield f"layout.c does not print struct {name}"
    for name in sorted(header.structs.keys() & measured["structs"].keys()):
        for field in header.structs[name]:
            if field.name not in measured["structs"][name]["fields"]:
                yield f"layout.c does not print {name}.{field.name}"
    for name in header.constants:
        if name not in measured["constants"]:
            yield f"layout.c does not print {name}"


def differences(golden, measured):
    """Changes from golden to measured as (is_break, text). What is only added breaks nothing."""
    for name in measured["constants"].keys() - golden["constants"].keys():
        yield False, f"{name} = {measured['constants'][name]} is new"
    for name, value in golden["constants"].items():
        now = measured["constants"].get(name)
        if now != value:
            # The version grows with every release; that is its purpose.
            yield not name.startswith("KVC_VERSION_"), f"{name} was {value} and is {now}"
    for name in measured["structs"].keys() - golden["structs"].keys():
        yield False, f"struct {name} is new"
    for name, struct in golden["structs"].items():
        now = measured["structs"].get(name)
        if now is None:
            yield True, f"struct {name} is gone"
            continue
        for field, place in struct["fields"].items():
            if now["fields"].get(field) != place:
                yield True, f"{name}.{field} was {place} and is {now['fields'].get(field)}"
        for field in now["fields"].keys() - struct["fields"].keys():
            place = now["fields"][field]
            yield place["offset"] < struct["size"], f"{name}.{field} is new, at {place}"
        if now["size"] != struct["size"]:
            yield now["size"] < struct["size"], f"size of {name} was {struct['size']} and is {now['size']}"
        if now["align"] != struct["align"]:
            yield True, f"alignment of {name} was {struct['align']} and is {now['align']}"


def main():
    compiler, include, work = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    measured = json.loads(run_layout(compiler, include, work))
    problems = list(coverage(measured, kvc_header.read(include / "kvc" / "kvc.h")))
    golden = json.loads((HERE / "layout.json").read_text())
    problems += [("BREAK: " if broken else "") + text for broken, text in differences(golden, measured)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("after an intended change: tests/abi/update_baseline", file=sys.stderr)
    print(f"{len(measured['structs'])} structs, {len(measured['constants'])} constants, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
