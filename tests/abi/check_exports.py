#!/usr/bin/env python3
"""What the built library shows to the loader: its symbols, its dependencies, its flags.

usage: check_exports.py LIBRARY
"""
import re
import subprocess
import sys
from pathlib import Path

import kvc_header

SYMBOLS = Path(__file__).resolve().parent / "symbols.txt"
NEEDED = {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6", "libmimalloc.so.2", "libsodium.so.23", "libzstd.so.1",
          "ld-linux-x86-64.so.2"}
# In the order of NEEDED these come before the allocator, which exports malloc and operator new as well.
BEFORE_MIMALLOC = ["libstdc++.so.6", "libc.so.6"]
# What the compiler itself puts into every shared object, and what __builtin_cpu_supports needs.
COMPILERS_OWN = {"frame_dummy", "__do_global_dtors_aux", "__cpu_indicator_init"}
# A destructor that runs at thread or process end would outlive a dlclose; writing and ending belong to the host.
FORBIDDEN_IMPORTS = ["__cxa_atexit", "__cxa_thread_atexit", "__cxa_thread_atexit_impl", "pthread_key_create", "pthread_atfork", "__register_atfork",
                     "atexit", "on_exit", "exit", "_exit", "quick_exit", "abort", "signal", "sigaction", "setlocale",
                     "printf", "puts", "putchar", "__printf_chk", "vprintf", "perror", "fesetround", "stdout", "stderr"]


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_symbols():
    """name -> since, from symbols.txt."""
    lines = [line.split("#")[0].split() for line in SYMBOLS.read_text().splitlines()]
    return {line[0]: line[1] for line in lines if line}


def check_symbols(library):
    listed = read_symbols()
    declared = {f.name: f.since for f in kvc_header.read().functions}
    for name in sorted(declared.keys() - listed.keys()):
        yield f"{name} is declared in kvc.h and not in symbols.txt: run tests/abi/update_baseline"
    for name in sorted(listed.keys() - declared.keys()):
        yield f"{name} is in symbols.txt and not declared in kvc.h: removing a function breaks the ABI"
    for name in sorted(listed.keys() & declared.keys()):
        if listed[name] != declared[name]:
            yield f"{name}: since {listed[name]} in symbols.txt, {declared[name]} in kvc.h"

    exported = {}
    for line in tool("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
        kind, name = line.split()[-2:]
        if kind == "u":
            yield f"{name} is a unique symbol: it keeps the library in memory for ever"
        if name == "KVC_0" or name == "KVC_0@@KVC_0":
            continue  # the version node itself
        base, _, version = name.partition("@@")
        exported[base] = version
    for name in sorted(listed.keys() - exported.keys()):
        yield f"{name} is in symbols.txt and not exported"
    for name in sorted(exported.keys() - listed.keys()):
        yield f"{name} is exported and not in symbols.txt"
    for name, version in exported.items():
        if version != "KVC_0":
            yield f"{name} has version '{version}', not KVC_0"


def check_dynamic(library):
    dynamic = tool("readelf", "-dW", library)
    soname = re.search(r"\(SONAME\).*\[(.*)\]", dynamic)
    abi = re.search(r"#define KVC_ABI_VERSION (\d+)", kvc_header.read().text).group(1)
    if not soname or soname.group(1) != f"libkvc.so.{abi}":
        yield f"SONAME is {soname and soname.group(1)}, not libkvc.so.{abi}"
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    for name in needed:
        if name not in NEEDED:
            yield f"NEEDED {name} is not on the list of what the library stands on"
    if "libmimalloc.so.2" in needed:
        for name in BEFORE_MIMALLOC:
            if name not in needed or needed.index(name) > needed.index("libmimalloc.so.2"):
                yield f"NEEDED {name} does not come before libmimalloc.so.2, so its malloc or operator new may be found first"
    if re.search(r"TEXTREL", dynamic):
        yield "TEXTREL: code that is not position-independent"
    if "STATIC_TLS" in dynamic:
        yield "STATIC_TLS: dlopen fails once the static TLS surplus is used up"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        yield "the library carries an RPATH or RUNPATH"
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\)\s+(.*)", dynamic))
    for flag in ("NODELETE", "NOW"):
        if flag not in flags:
            yield f"flag {flag} is not set"


def check_segments(library):
    segments = tool("readelf", "-lW", library)
    stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}(\S+)", segments)
    if not stack or "E" in stack.group(1):
        yield "GNU_STACK is missing or executable"
    if "GNU_RELRO" not in segments:
        yield "no GNU_RELRO segment"


def initializers(library, section):
    """The functions that an .init_array or .fini_array names."""
    sections = re.search(r"\s" + re.escape(section) + r"\s+\S+\s+(\w+)\s+\w+\s+(\w+)", tool("readelf", "-SW", library))
    if not sections:
        return
    begin, size = (int(text, 16) for text in sections.groups())
    names = {}
    for line in tool("nm", library).splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tTwW":
            names[int(words[0], 16)] = words[2]
    for line in tool("readelf", "-rW", library).splitlines():
        words = line.split()
        if len(words) == 4 and words[2] == "R_X86_64_RELATIVE" and begin <= int(words[0], 16) < begin + size:
            yield names.get(int(words[3], 16), words[3])


def check_start_and_end(library):
    for section in (".init_array", ".fini_array"):
        for name in initializers(library, section):
            if name not in COMPILERS_OWN:
                yield f"{section} calls {name}: no static constructors or destructors"
    imports = {line.split()[-1].split("@")[0] for line in tool("nm", "-D", "--undefined-only", library).splitlines()}
    for name in FORBIDDEN_IMPORTS:
        if name in imports:
            yield f"imports {name}"


def main():
    library = sys.argv[1]
    problems = []
    for check in (check_symbols, check_dynamic, check_segments, check_start_and_end):
        problems += check(library)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"exports of {Path(library).name}: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
