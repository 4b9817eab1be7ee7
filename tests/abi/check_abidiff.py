#!/usr/bin/env python3
"""libabigail compares the library with the committed baseline, and is itself put to the test.

The second half builds stand-ins of the library from kvc.h and from deliberately changed copies of it: the unchanged one
must pass and every change must be seen. It guards against a baseline in which abidiff takes all types for private (one
written with --no-show-locs, or from a library without debug information) and passes everything.

usage: check_abidiff.py LIBRARY INCLUDE_DIR WORK_DIR
"""
import re
import subprocess
import sys
from pathlib import Path

import kvc_header

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "libkvc.abi"
CHANGED, INCOMPATIBLE = 4, 8    # bits of abidiff's exit status


def write_baseline(library, include, output):
    subprocess.run(["abidw", "--headers-dir", str(include), "--exported-interfaces-only", "--drop-private-types",
                    "--no-corpus-path", "--no-comp-dir-path", "--out-file", str(output), str(library)], check=True)


def abidiff(baseline, library, include):
    """(exit status, report). The baseline has only public types already, the library's are filtered by its headers."""
    done = subprocess.run(["abidiff", "--headers-dir2", str(include), "--no-show-locs", str(baseline), str(library)],
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def build_stand_in(include, work, name):
    """A library with the functions of a header and empty bodies, linked and exported as libkvc is."""
    header = kvc_header.read(include / "kvc" / "kvc.h")
    bodies = [f'#include "kvc/kvc.h"\nextern "C" {{\n']
    for function in header.functions:
        result = "" if function.declaration.startswith("void ") else " return 0;"
        bodies.append(f"KVC_API {function.declaration} KVC_NOEXCEPT {{{result} }}\n")
    source, library = work / f"{name}.cpp", work / f"lib{name}.so"
    source.write_text("".join(bodies) + "}\n")
    subprocess.run(["g++", "-std=c++20", "-g", "-w", "-fPIC", "-shared", f"-I{include}", str(source), "-o", str(library),
                    f"-ffile-prefix-map={include.parent}=.",
                    f"-Wl,--version-script={kvc_header.ROOT / 'src' / 'kvc.map'}", "-Wl,-soname,libkvc.so.0"], check=True)
    return library


def replace_once(pattern, replacement):
    def change(text):
        changed, count = re.subn(pattern, replacement, text, count=1, flags=re.S)
        assert count == 1, f"nothing in kvc.h matches {pattern}"
        return changed
    return change


# name -> (change of the header, bits of which the exit status must have at least one)
MUTATIONS = {
    "grown_at_end": (replace_once(r"(\n\} kvc_request_t;)", r"\n    uint64_t added;\1"), CHANGED | INCOMPATIBLE),
    "grown_in_the_middle": (replace_once(r"(typedef struct kvc_stats_t \{\s+size_t struct_size;)", r"\1 uint64_t added;"),
                            CHANGED | INCOMPATIBLE),
    "field_narrowed": (replace_once(r"uint64_t deadline_ns;", "uint32_t deadline_ns;"), CHANGED | INCOMPATIBLE),
    "parameter_type": (replace_once(r"kvc_status_name\(kvc_status_t status\)", "kvc_status_name(int64_t status)"),
                       CHANGED | INCOMPATIBLE),
    "function_removed": (replace_once(r"KVC_API kvc_status_t kvc_trim\([^;]*;", ""), INCOMPATIBLE),
    "function_added": (replace_once(r"(KVC_API kvc_status_t kvc_trim\()", r"KVC_API int32_t kvc_added(void) KVC_NOEXCEPT;\n\1"),
                       CHANGED),
    "callback_changed": (replace_once(r"void \(\*destroy\)\(void \*user_data\);",
                                      "void (*destroy)(void *user_data, int32_t why);"), CHANGED | INCOMPATIBLE),
}


def check_library(library, include):
    status, report = abidiff(BASELINE, library, include)
    if status == 0:
        return []
    verdict = "is incompatible with" if status & INCOMPATIBLE else "differs from"
    if status & 3:
        verdict = "could not be compared with"
    return [f"{library} {verdict} tests/abi/libkvc.abi (abidiff exit {status}):\n{report}\n"
            "after an intended change: tests/abi/update_baseline, and an 'ABI:' line in CHANGELOG.md"]


def check_the_check(include, work):
    problems = []
    status, report = abidiff(BASELINE, build_stand_in(include, work, "unchanged"), include)
    if status != 0:
        problems.append(f"negative test: a stand-in with the unchanged header is not accepted (exit {status}):\n{report}")
    for name, (change, bits) in MUTATIONS.items():
        copy = work / name
        (copy / "kvc").mkdir(parents=True, exist_ok=True)
        (copy / "kvc" / "kvc.h").write_text(change((include / "kvc" / "kvc.h").read_text()))
        status, report = abidiff(BASELINE, build_stand_in(copy, work, name), copy)
        if not status & bits or status & 3:
            problems.append(f"negative test: change '{name}' was not rejected (exit {status}, wanted one of {bits}):\n{report}")
    return problems


def main():
    library, include, work = Path(sys.argv[1]), Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    work.mkdir(parents=True, exist_ok=True)
    problems = check_library(library, include) + check_the_check(include, work.resolve())
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"abidiff: library compared, {len(MUTATIONS)} changes tried, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
