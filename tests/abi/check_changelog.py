#!/usr/bin/env python3
"""Whoever changes kvc.h tells its users: every change comes with a new remark "ABI: ..." in CHANGELOG.md.

usage: check_changelog.py [--update]      --update: records the header of now, if there is such a remark (update_baseline does it)

tests/abi/changelog.json has a digest of kvc.h without comments, and the remarks that CHANGELOG.md had when it was recorded.
"""
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import kvc_header  # noqa: E402

RECORD = HERE / "changelog.json"
CHANGELOG = kvc_header.ROOT / "CHANGELOG.md"


def digest(header):
    """Of what a compiler sees."""
    code = re.sub(r"/\*.*?\*/", " ", header, flags=re.S)
    return hashlib.sha256(" ".join(code.split()).encode()).hexdigest()


def remarks(changelog):
    """What follows "ABI:" in each item or paragraph, on one line."""
    items = re.split(r"\n\s*\n|\n(?=- )", changelog)
    return sorted(" ".join(found.split()) for item in items for found in re.findall(r"(?:^|\s)ABI: (.*)", item, flags=re.S))


def problem(record, header, changelog):
    """Why a header must not be recorded; None if it may be, or is."""
    if record["header"] == digest(header) or Counter(remarks(changelog)) - Counter(record["remarks"]):
        return None
    return ("kvc.h has changed since tests/abi/changelog.json was recorded, and CHANGELOG.md has no new remark 'ABI: ...': say there what "
            "was added, and that programs need not be compiled again, or that they must")


def notices_changes():
    """The test of this test."""
    header, changelog = "/* a */ int f(void);", "- Something. ABI: functions added.\n- More.\n"
    record = {"header": digest(header), "remarks": remarks(changelog)}
    changed = header.replace("int f", "long f")
    return (problem(record, header, changelog) is None and problem(record, "/* other words */ int  f(void);", changelog) is None
            and problem(record, changed, changelog) is not None and problem(record, changed, changelog + "- Another thing.\n") is not None
            and problem(record, changed, changelog + "- Another thing.\n  ABI: functions added.\n") is None)


def main():
    header, changelog = kvc_header.PUBLIC_HEADER.read_text(encoding="utf-8"), CHANGELOG.read_text(encoding="utf-8")
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"header": "", "remarks": []}
    found = problem(record, header, changelog)
    if not notices_changes():
        found = "a changed header was not noticed"
    if not found and record["header"] != digest(header):
        if "--update" in sys.argv:
            RECORD.write_text(json.dumps({"header": digest(header), "remarks": remarks(changelog)}, indent=1) + "\n", encoding="utf-8")
        else:
            found = "kvc.h has changed, and CHANGELOG.md says so; run tests/abi/update_baseline, which records both"
    print(found or "every change of kvc.h is told in CHANGELOG.md")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
