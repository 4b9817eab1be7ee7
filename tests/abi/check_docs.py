#!/usr/bin/env python3
"""Every function of the public header says from which threads it may be called and since which version it exists."""
import re
import sys

import kvc_header


def main():
    header = kvc_header.read()
    problems = []
    declared = len(re.findall(r"^KVC_API ", header.text, flags=re.M))
    if declared != len(header.functions):
        problems.append(f"{declared} declarations begin with KVC_API, {len(header.functions)} were understood")
    for function in header.functions:
        where = f"kvc.h:{function.line}: {function.name}"
        if not function.comment:
            problems.append(f"{where} has no comment directly above it")
            continue
        if "Thread-safety:" not in function.comment:
            problems.append(f"{where} lacks 'Thread-safety:'")
        if not function.since:
            problems.append(f"{where} lacks 'Since: <version>'")
        if len(function.comment.split("Thread-safety:")[0]) < 20:
            problems.append(f"{where} does not say what it does")
    for match in re.finditer(r"^KVC_API [^;]+;", header.text, flags=re.M | re.S):
        if "KVC_NOEXCEPT" not in match.group(0):
            problems.append(f"without KVC_NOEXCEPT: {' '.join(match.group(0).split())}")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(header.functions)} functions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
