#!/usr/bin/env python3
"""Includes between the rooms of src/ go down the house (src/README.md), never up; the program uses kvc.h alone.

usage: check_includes.py [SRC_DIR]
"""
import re
import sys
from pathlib import Path

import kvc_header

# What each room may include besides itself, as src/README.md says it. ROOMS is the order from the bottom up.
MAY_USE = {
    "base": set(),
    "observe": {"base"},
    "memory": {"base"},
    "attend": {"base"},
    "codec": {"attend", "base"},
    "tier": {"codec", "memory", "base"},
    "policy": {"memory", "base"},
    "cache": {"policy", "tier", "codec", "attend", "memory", "observe", "base"},
    "model": {"cache", "attend", "tier"},
    "request": {"model", "cache", "observe"},
    "engine": None,      # everything below
    "api": None,
}
ROOMS = list(MAY_USE)
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def reachable(room):
    """The rooms that a room may include: those named and, since their headers show them, what those may include."""
    if MAY_USE[room] is None:
        return set(ROOMS[:ROOMS.index(room)])
    rooms = set(MAY_USE[room])
    for other in MAY_USE[room]:
        rooms |= reachable(other)
    return rooms


def check(src):
    problems = []
    for room in sorted(p.name for p in src.iterdir() if p.is_dir()):
        if room not in MAY_USE and room != "cli":
            problems.append(f"src/{room} is no room of the house: say in src/README.md and here what it may use")
            continue
        allowed = set() if room == "cli" else reachable(room) | {room}
        for path in sorted((src / room).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".inc"):
                continue
            text = path.read_text(encoding="utf-8")
            for match in INCLUDE.finditer(text):
                target = match.group(2)
                line = text.count("\n", 0, match.start(2)) + 1
                where = f"src/{path.relative_to(src)}:{line}"
                head = target.split("/")[0]
                if head in MAY_USE and "/" in target and head not in allowed:
                    problems.append(f"{where}: room {room} may not use {head} ({target})")
                if match.group(1) == '"' and ".." in target:
                    problems.append(f"{where}: name the file from src/, not with '..' ({target})")
                if room == "cli" and match.group(1) == '"' and "/" in target and not target.startswith(("kvc/", "cli/")):
                    problems.append(f"{where}: the program uses kvc.h alone ({target})")
    return problems


def main():
    src = Path(sys.argv[1]) if len(sys.argv) > 1 else kvc_header.ROOT / "src"
    problems = check(src)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"includes: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
