"""Describes kvc.h as data: bindings/api.json.

    constants   name, value, group (the word that its relatives share), comment
    aliases     typedefs of integers:      name, type
    handles     opaque types:              name, comment
    callbacks   typedefs of functions:     name, returns, params
    structs     name, size, align, comment, fields: name, type, count (of an array, else 0), offset, size, comment, and for
                a function pointer its returns and params
    functions   name, returns, params, comment, since, section

A type is written as in C with single spaces ("const kvc_tensor_t *"). Sizes and offsets are those of a 64-bit machine that
aligns naturally; tests/bindings/check_generated.py compares them with what the compiler says (tests/abi/layout.json).
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "abi"))
import kvc_header  # noqa: E402

SCALARS = {"char": 1, "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8,
           "uint64_t": 8, "size_t": 8, "float": 4, "double": 8}
# Constants that no common word groups: what they are of.
GROUPS = {"KVC_OK": "STATUS", "KVC_END": "STATUS", "KVC_PENDING": "STATUS", "KVC_KEY": "PLANE", "KVC_VALUE": "PLANE"}
DTYPE = re.compile(r"^KVC_(BF|F|U|I|FP)\d\w*$")


class DescriptionError(Exception):
    """kvc.h has something that this reader does not understand."""


def _type_of(text):
    """A C type with single spaces, stars apart from words: 'const char * const *'."""
    return re.sub(r"\s*\*\s*", " *", re.sub(r"\s+", " ", text.replace("struct ", ""))).replace("* *", "**").strip()


def _params(text):
    text = text.strip()
    if text in ("", "void"):
        return []
    params = []
    for part in text.split(","):
        match = re.match(r"^(.*?)(\w+)$", part.strip(), flags=re.S)
        if not match or not match.group(1).strip():
            raise DescriptionError(f"a parameter without a name: '{part.strip()}'")
        params.append({"name": match.group(2), "type": _type_of(match.group(1))})
    return params


def _clean(comment):
    text = re.sub(r"^/\*+|\*+/$", "", comment.strip())
    return "\n".join(line.strip().lstrip("*").strip() if line.strip().startswith("*") else line.strip()
                     for line in text.strip().splitlines()).strip()


def _constants(text):
    found, order = {}, []
    for match in re.finditer(r"^#define[ \t]+(KVC_\w+)[ \t]+\(?(-?\d+)u?\)?(?:[ \t]+/\*(.*?)\*/)?", text, flags=re.M):
        found[match.group(1)] = {"name": match.group(1), "value": int(match.group(2)),
                                 "comment": (match.group(3) or "").strip()}
        order.append(match.group(1))
    words = [name.split("_")[1] for name in order]
    for name in order:
        word = name.split("_")[1]
        group = GROUPS.get(name) or ("DTYPE" if DTYPE.match(name) else "STATUS" if word == "E" else word if words.count(word) > 1 else "")
        found[name]["group"] = group
    return [found[name] for name in order]


def _field_comments(body):
    """Comment after each declaration of a struct's body, by the order of declarations."""
    comments, pieces = [], re.split(r"(/\*.*?\*/)", body, flags=re.S)
    declared = 0
    for piece in pieces:
        if piece.startswith("/*"):
            while len(comments) < declared:
                comments.append("")
            if declared:
                own = re.sub(r"\s*\n\s*", " ", piece[2:-2]).strip()
                comments[declared - 1] = comments[declared - 1] or own
        else:
            declared += piece.count(";")
    return comments + [""] * (declared - len(comments))


def _fields(body, constants):
    declarations = [" ".join(d.split()) for d in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(";")]
    comments = _field_comments(body)
    fields = []
    for index, declaration in enumerate(d for d in declarations if d):
        field = {"name": "", "type": "", "count": 0, "comment": comments[index]}
        pointer = re.match(r"^(.*?)\(\*(\w+)\)\s*\((.*)\)$", declaration)
        array = re.match(r"^(.*?)(\w+)\[(\w+)\]$", declaration)
        if pointer:
            field.update(name=pointer.group(2), type="function", returns=_type_of(pointer.group(1)),
                         params=_params(pointer.group(3)))
        elif array:
            count = array.group(3)
            field.update(name=array.group(2), type=_type_of(array.group(1)),
                         count=int(count) if count.isdigit() else constants[count])
        else:
            plain = re.match(r"^(.*?)(\w+)$", declaration)
            if not plain or not plain.group(1).strip():
                raise DescriptionError(f"a field that is not understood: '{declaration}'")
            field.update(name=plain.group(2), type=_type_of(plain.group(1)))
        fields.append(field)
    return fields


class _Layout:
    """Sizes and alignments of types, growing as structs are laid out."""

    def __init__(self, aliases, callbacks):
        self.known = {name: (size, size) for name, size in SCALARS.items()}
        self.known.update({name: self.known[kind] for name, kind in aliases.items()})
        self.known.update({name: (8, 8) for name in callbacks})

    def of(self, kind):
        if kind.endswith("*") or kind == "function":
            return 8, 8
        if kind not in self.known:
            raise DescriptionError(f"the type '{kind}' is not known here")
        return self.known[kind]

    def lay_out(self, struct):
        offset, widest = 0, 1
        for field in struct["fields"]:
            size, align = self.of(field["type"])
            offset = -(-offset // align) * align
            field["offset"], field["size"] = offset, size * max(field["count"], 1)
            offset += field["size"]
            widest = max(widest, align)
        struct["size"], struct["align"] = -(-offset // widest) * widest, widest
        self.known[struct["name"]] = (struct["size"], widest)


def describe(path=kvc_header.PUBLIC_HEADER):
    header = kvc_header.read(path)
    text = header.text
    constants = _constants(text)
    values = {c["name"]: c["value"] for c in constants}
    missed = [name for name in header.constants if name not in values]
    if missed:
        raise DescriptionError(f"constants whose value is not understood: {', '.join(missed)}")

    aliases = dict(re.findall(r"^typedef (\w+_t) (kvc_\w+);", text, flags=re.M))
    aliases = {name: kind for kind, name in aliases.items()}
    handles = [{"name": name, "comment": comment.strip()} for name, comment in
               re.findall(r"^typedef struct (kvc_\w+) \1;\s*(?:/\*(.*?)\*/)?", text, flags=re.M)]
    callbacks = [{"name": m.group(2), "returns": _type_of(m.group(1)), "params": _params(m.group(3))} for m in
                 re.finditer(r"^typedef ([^;{]*?)\(\*(kvc_\w+)\)\(([^;]*?)\);", text, flags=re.M)]

    layout = _Layout(aliases, [c["name"] for c in callbacks])
    structs = []
    pattern = r"(?:(/\*(?:(?!\*/).)*\*/)\n)?^typedef struct (\w+) \{\n(.*?)\n\} \2;"
    for match in re.finditer(pattern, text, flags=re.S | re.M):
        struct = {"name": match.group(2), "size": 0, "align": 0, "comment": _clean(match.group(1) or ""),
                  "fields": _fields(match.group(3), values)}
        layout.lay_out(struct)
        structs.append(struct)
    if len(structs) != len(header.structs):
        raise DescriptionError(f"{len(header.structs)} structs in kvc.h, {len(structs)} understood")

    sections = [(m.start(), m.group(1).strip().rstrip(".").split(".")[0]) for m in
                re.finditer(r"^/\* -{60,}\n \* (.*?)\n", text, flags=re.M)]
    functions = []
    for match in re.finditer(r"(/\*(?:(?!\*/).)*\*/\n)?^KVC_API ([^;]+);", text, flags=re.S | re.M):
        declaration = " ".join(match.group(2).split()).replace(" KVC_NOEXCEPT", "")
        parts = re.match(r"^(.*?)(kvc_\w+)\((.*)\)$", declaration)
        comment = _clean(match.group(1) or "")
        since = re.search(r"Since:\s*([0-9.]*[0-9])", comment)
        functions.append({"name": parts.group(2), "returns": _type_of(parts.group(1)), "params": _params(parts.group(3)),
                          "since": since.group(1) if since else "",
                          "section": [title for start, title in sections if start < match.start()][-1],
                          "comment": comment})
    if len(functions) != len(header.functions):
        raise DescriptionError(f"{len(header.functions)} functions in kvc.h, {len(functions)} understood")
    return {
        "about": "Written by bindings/generate from include/kvc/kvc.h; do not edit.",
        "version": ".".join(str(values[f"KVC_VERSION_{part}"]) for part in ("MAJOR", "MINOR", "PATCH")),
        "abi": values["KVC_ABI_VERSION"], "constants": constants,
        "aliases": [{"name": n, "type": t} for n, t in aliases.items()], "handles": handles, "callbacks": callbacks,
        "structs": structs, "functions": functions}


def groups(api):
    """group -> [(short name, value, comment)] of the constants that have relatives, versions left out."""
    found = {}
    for constant in api["constants"]:
        group = constant["group"]
        if not group or group in ("VERSION",):
            continue
        short = constant["name"][4:]
        for prefix in (f"{group}_", "E_"):
            if short.startswith(prefix):
                short = short[len(prefix):]
                break
        found.setdefault(group, []).append((short, constant["value"], constant["comment"]))
    return found
