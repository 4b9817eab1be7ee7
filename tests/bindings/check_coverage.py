#!/usr/bin/env python3
"""Every binding's own layer names every function of kvc.h, and every field that a caller sets.

What it does not yet name stands in bindings/unbound.txt, with the reason: one line "<binding> <name> <reason>", or "* <name>
<reason>" for all bindings. Lines that are no longer true fail as well.
"""
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINDINGS = ROOT / "bindings"
# binding -> files of its own layer (not the generated ones).
LAYERS = {
    "cpp": ["cpp/kvc.hpp"],
    "python": ["python/kvc/*.py"],
    "rust": ["rust/kvc/src/*.rs"],
    "go": ["go/*.go"],
    "node": ["node/src/*.js", "node/src/*.mjs", "node/src/*.cjs"],
    "java": ["java/src/main/java/**/*.java"],
    "csharp": ["csharp/src/*.cs"],
}
# Structs that a caller fills in: each field is an ability.
INPUTS = ["kvc_request_t", "kvc_space_desc_t", "kvc_rope_t", "kvc_adapter_t", "kvc_session_options_t", "kvc_backend_t",
          "kvc_model_info_t", "kvc_allocator_t", "kvc_logger_t", "kvc_clock_t", "kvc_message_t"]
# Structs that a language hands through as they are: C++ sees kvc.h itself.
HANDED_THROUGH = {"cpp": ["kvc_allocator_t", "kvc_rope_t", "kvc_model_info_t"]}
GENERATED = "bindings/generate"


def exceptions():
    found = {}
    for line in (BINDINGS / "unbound.txt").read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            binding, name, reason = line.split(None, 2)
            found[binding, name] = reason
    return found


def words_of(patterns):
    text = []
    for pattern in patterns:
        for path in sorted(BINDINGS.glob(pattern)):
            content = path.read_text(encoding="utf-8")
            if path.name.endswith("_test.go"):
                continue
            if GENERATED not in content[:600]:
                text.append(content)
    return set(re.findall(r"\w+", "\n".join(text))) if text else None


def main():
    api = json.loads((BINDINGS / "api.json").read_text(encoding="utf-8"))
    wanted = {f["name"]: f["name"] for f in api["functions"]}
    for struct in api["structs"]:
        if struct["name"] in INPUTS:
            for field in struct["fields"]:
                if field["name"] not in ("struct_size", "reserved"):
                    wanted[f"{struct['name']}.{field['name']}"] = field["name"]
    listed, used, problems, bindings = exceptions(), set(), [], []
    for binding, patterns in LAYERS.items():
        words = words_of(patterns)
        if words is None:
            continue
        bindings.append(binding)
        # A language may write kvc_space_open in its own manner of names, as spaceOpen or SpaceOpen.
        folded = {word.replace("_", "").lower() for word in words}
        for name, word in wanted.items():
            if name.split(".")[0] in HANDED_THROUGH.get(binding, []):
                continue
            entry = next((e for e in ((binding, name), ("*", name)) if e in listed), None)
            if word.replace("_", "").lower() in folded:
                if entry and entry[0] == binding:
                    problems.append(f"bindings/unbound.txt: {binding} names {name} by now; remove the line")
            elif entry:
                used.add(entry)
            else:
                problems.append(f"{binding}: {name} is not bound; bind it in bindings/{patterns[0]}, or add to "
                                f"bindings/unbound.txt: '{binding} {name} <why not>'")
    for entry in listed.keys() - used:
        if not any(f"{entry[0]} names {entry[1]} " in p for p in problems) and (entry[0] in bindings or entry[0] == "*"):
            problems.append(f"bindings/unbound.txt: '{' '.join(entry)}' excuses nothing; remove the line")
    print("\n".join(problems))
    print(f"{len(wanted)} names, bindings: {' '.join(bindings)}, {len(listed)} exceptions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
