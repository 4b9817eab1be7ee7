#!/usr/bin/env python3
"""The public header compiles alone, twice, from two files, in every C and C++ that a host may use, without a warning.

usage: check_header.py INCLUDE_DIR WORK_DIR [COMPILER_PAIR ...]        e.g. gcc:g++ clang:clang++ (the default: both)
"""
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kvc_header

C_STANDARDS = ["c89", "c99", "c11", "c17"]
CXX_STANDARDS = ["c++98", "c++11", "c++14", "c++17", "c++20"]
WARNINGS = ["-Wall", "-Wextra", "-pedantic-errors", "-Werror", "-Wshadow", "-Wundef"]

TWICE = '#include "kvc/kvc.h"\n#include "kvc/kvc.h"\n'


def use_everything(header):
    """A file that initialises every struct, sets every field, names every function and every constant."""
    lines = [TWICE, "#include <string.h>", "", "int use_everything(void);", "int use_everything(void) {", "    int n = 0;"]
    for name, fields in header.structs.items():
        lines += ["    {", "#ifdef __cplusplus", f"        {name} x = {name}();", "#else", f"        {name} x = {{0}};",
                  "#endif", "        x.struct_size = sizeof x;"]
        for field in fields[1:]:
            if field.kind == "struct":
                lines.append(f"        memset(&x.{field.name}, 0, sizeof x.{field.name});")
            else:
                lines.append(f"        x.{field.name}{'[0]' if field.kind == 'array' else ''} = 0;")
        lines += ["        n += x.struct_size == sizeof x;", "    }"]
    for function in header.functions:
        lines.append(f"    n += sizeof(&{function.name}) != 0;")
    for constant in header.constants:
        lines.append(f"    n += ({constant}) != 0;")
    return "\n".join(lines + ["    return n;", "}", ""])


def main():
    include, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    pairs = [pair.split(":") for pair in (sys.argv[3:] or ["gcc:g++", "clang:clang++"])]
    work.mkdir(parents=True, exist_ok=True)
    sources = {"first": TWICE + "int use_everything(void);\nint main(void) { return use_everything() == 0; }\n",
               "second": use_everything(kvc_header.read(include / "kvc" / "kvc.h"))}
    for name, text in sources.items():
        for suffix in (".c", ".cpp"):
            # C89 has no //, and C++ cannot declare use_everything(void) with another linkage in the other file: same text.
            (work / (name + suffix)).write_text(text)

    jobs = []
    for c, cxx in pairs:
        for compiler in (c, cxx):
            if not shutil.which(compiler):
                sys.exit(f"{compiler} is not installed; .ci/setup installs it")
        jobs += [(c, standard, ".c", ["-Wc++-compat"]) for standard in C_STANDARDS]
        jobs += [(cxx, standard, ".cpp", []) for standard in CXX_STANDARDS]

    def run(job):
        compiler, standard, suffix, extra = job
        program = work / f"{compiler}-{standard}"
        command = [compiler, f"-std={standard}", *WARNINGS, *extra, f"-I{include}", "-o", str(program),
                   str(work / ("first" + suffix)), str(work / ("second" + suffix))]
        built = subprocess.run(command, capture_output=True, text=True)
        if built.returncode != 0:
            return f"{' '.join(command)}\n{built.stdout}{built.stderr}"
        if subprocess.run([str(program.resolve())]).returncode != 0:
            return f"{program} reported a struct_size that is not the struct's size"
        return None

    with ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(run, jobs) if failure]
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(jobs) - len(failures)} of {len(jobs)} combinations of compiler and standard pass")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
