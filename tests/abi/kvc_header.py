"""Reads include/kvc/kvc.h: its functions with their comments, its structs with their fields, its constants.

The header keeps to a small subset of C (no unions, no bit-fields, no nested structs, one field per line group), so a few
regular expressions read all of it. What they would overlook, `check_layout.py` and `check_docs.py` find by counting the
raw keywords.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_HEADER = ROOT / "include" / "kvc" / "kvc.h"

# Macros that are no values: the include guard and decorations of declarations.
NOT_CONSTANTS = {"KVC_KVC_H", "KVC_API", "KVC_NOEXCEPT"}


@dataclass
class Field:
    name: str
    kind: str            # "scalar", "array", "struct" or "function"
    declaration: str


@dataclass
class Function:
    name: str
    declaration: str     # without KVC_API, KVC_NOEXCEPT and the semicolon
    comment: str
    line: int

    @property
    def since(self):
        match = re.search(r"\bSince:\s*([0-9.]+[0-9])", self.comment)
        return match.group(1) if match else None


@dataclass
class Header:
    text: str
    functions: list = field(default_factory=list)
    structs: dict = field(default_factory=dict)
    constants: list = field(default_factory=list)


def _squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def _without_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def _read_fields(body, struct_names):
    fields = []
    for declaration in _without_comments(body).split(";"):
        declaration = _squeeze(declaration)
        if not declaration:
            continue
        pointer = re.match(r"^[^(]*\(\*(\w+)\)\s*\(", declaration)
        array = re.match(r"^.*?\b(\w+)\[\w+\]$", declaration)
        scalar = re.match(r"^(.*?)(\w+)$", declaration)
        if pointer:
            fields.append(Field(pointer.group(1), "function", declaration))
        elif array:
            fields.append(Field(array.group(1), "array", declaration))
        else:
            kind = "struct" if scalar.group(1).strip() in struct_names else "scalar"
            fields.append(Field(scalar.group(2), kind, declaration))
    return fields


def read(path=PUBLIC_HEADER):
    text = Path(path).read_text(encoding="utf-8")
    header = Header(text)

    struct_pattern = r"typedef struct (\w+) \{\n(.*?)\n\} (\w+);"
    names = [m.group(1) for m in re.finditer(struct_pattern, text, flags=re.S)]
    for match in re.finditer(struct_pattern, text, flags=re.S):
        assert match.group(1) == match.group(3), f"struct tag and typedef differ: {match.group(1)}"
        header.structs[match.group(1)] = _read_fields(match.group(2), names)

    for match in re.finditer(r"^#\s*define\s+(KVC_\w+)(?:[ \t]+(\S.*))?$", text, flags=re.M):
        if match.group(1) not in NOT_CONSTANTS and match.group(1) not in header.constants:
            header.constants.append(match.group(1))

    for match in re.finditer(r"(/\*(?:(?!\*/).)*\*/\n)?^KVC_API ([^;]+);", text, flags=re.S | re.M):
        declaration = _squeeze(match.group(2)).replace(" KVC_NOEXCEPT", "")
        name = re.search(r"\b(kvc_\w+)\(", declaration).group(1)
        line = text.count("\n", 0, match.start(2)) + 1
        header.functions.append(Function(name, declaration, _squeeze(match.group(1) or ""), line))
    return header
