#!/usr/bin/env python3
"""Prints what ctest's JUnit reports say: the output of what failed, why something was skipped, and a table by label.

usage: summary.py BUILD=REPORT ...        Exit status 1 if a test failed, or a report is missing.
"""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

SHOWN = 6000    # characters of a failing test's output


def labels_of(report):
    """name -> first label, from what `ctest --show-only=json-v1` printed beside the report."""
    listing = Path(report).with_suffix(".json")
    if not listing.exists():
        return {}
    properties = {test["name"]: test.get("properties", []) for test in json.loads(listing.read_text())["tests"]}
    return {name: p["value"][0] for name, ps in properties.items() for p in ps if p["name"] == "LABELS" and p["value"]}


def outcome_of(case):
    if case.find("failure") is not None or case.get("status") == "fail":
        return "failed"
    return "passed" if case.get("status") == "run" else "skipped"


def read(report):
    """(label, name, outcome, seconds, output) of every test in a report."""
    labels = labels_of(report)
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        failure = case.find("failure")
        reason = failure.get("message", "") if failure is not None else ""
        name = case.get("name")
        yield labels.get(name, name.split("/")[0]), name, outcome_of(case), float(case.get("time") or 0), output, reason


def main():
    rows, failed, skipped, missing = [], [], [], []
    for argument in sys.argv[1:]:
        build, report = argument.split("=", 1)
        if not Path(report).exists():
            missing.append(build)
            continue
        counts, seconds = Counter(), Counter()
        for label, name, outcome, time, output, reason in read(report):
            counts[label, outcome] += 1
            seconds[label] += time
            if outcome == "failed":
                failed.append((build, name, output, reason))
            elif outcome == "skipped":
                words = re.search(r"SKIPPED:? *(.*)|Skipped\n(.*)", output)
                skipped.append((build, name, (words.group(1) or words.group(2)) if words else "see its output"))
        for label in sorted(seconds):
            rows.append((build, label, counts[label, "passed"], counts[label, "failed"], counts[label, "skipped"], seconds[label]))

    for build, name, output, reason in failed:
        print(f"\n--- {build}: {name} FAILED {reason}\n{output[-SHOWN:].rstrip()}")
    for build, name, reason in skipped:
        print(f"--- {build}: {name} SKIPPED: {reason}")
    print(f"\n{'build':<9} {'label':<10} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for build, label, *numbers in rows:
        print(f"{build:<9} {label:<10} {numbers[0]:>7} {numbers[1]:>7} {numbers[2]:>8} {numbers[3]:>8.1f}")
    for build in missing:
        print(f"{build:<9} did not build, or its tests did not run")
    for build, name, _, _ in failed:
        print(f"failed: {build} {name}")
    if not rows and not missing:
        print("no test has this label")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
