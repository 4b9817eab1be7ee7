#!/usr/bin/env python3
"""The description of kvc.h and the raw layers made from it are up to date, and lie as the compiler says."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings"))
from gen import description  # noqa: E402


def layout_problems(api):
    golden = json.loads((ROOT / "tests" / "abi" / "layout.json").read_text())
    for struct in api["structs"]:
        want = golden["structs"].get(struct["name"], {"size": None, "align": None, "fields": {}})
        if (struct["size"], struct["align"]) != (want["size"], want["align"]):
            yield f"{struct['name']} is {struct['size']} bytes here, {want['size']} in tests/abi/layout.json"
        for field in struct["fields"]:
            here = {"offset": field["offset"], "size": field["size"]}
            if want["fields"].get(field["name"]) != here:
                yield f"{struct['name']}.{field['name']} is at {here} here, {want['fields'].get(field['name'])} in layout.json"
    for constant in api["constants"]:
        if golden["constants"].get(constant["name"]) != constant["value"]:
            yield f"{constant['name']} is {constant['value']} here, {golden['constants'].get(constant['name'])} in layout.json"


def notices_changes():
    """That a changed header is seen: the test of this test."""
    text = (ROOT / "include" / "kvc" / "kvc.h").read_text(encoding="utf-8")
    changed = text.replace("KVC_API uint32_t kvc_abi_version(void)", "KVC_API uint32_t kvc_abi_verzion(int32_t a)", 1)
    assert changed != text
    with tempfile.NamedTemporaryFile("w", suffix=".h", encoding="utf-8") as file:
        file.write(changed)
        file.flush()
        functions = {f["name"]: f for f in description.describe(file.name)["functions"]}
    return functions.get("kvc_abi_verzion", {}).get("params") == [{"name": "a", "type": "int32_t"}]


def main():
    problems = list(layout_problems(description.describe()))
    if not notices_changes():
        problems.append("a changed declaration was not noticed")
    check = subprocess.run([sys.executable, str(ROOT / "bindings" / "generate"), "--check"], capture_output=True, text=True)
    problems += (check.stdout + check.stderr).splitlines() if check.returncode else []
    print("\n".join(problems) or "up to date")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
