"""Python: kvc/_raw.py (ctypes), kvc/constants.py (enums), kvc/records.py (what kvc tells, as frozen dataclasses)."""
from gen import description, names

HEADER = '"""{}\n\nWritten by bindings/generate from include/kvc/kvc.h; do not edit."""\n'
SCALARS = {"char": "c_char", "uint8_t": "c_uint8", "int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64",
           "uint64_t": "c_uint64", "size_t": "c_size_t", "float": "c_float", "double": "c_double"}


class _Types:
    def __init__(self, api):
        self.plain = dict(SCALARS)
        self.plain.update({a["name"]: SCALARS[a["type"]] for a in api["aliases"]})
        self.callbacks = {c["name"] for c in api["callbacks"]}

    def of(self, kind):
        """ctypes type of a parameter or field. Pointers are addresses: byref(), arrays, bytes and integers fit."""
        if kind == "void":
            return "None"
        if kind == "const char *":
            return "c_char_p"
        if kind.endswith("*"):
            return "c_void_p"
        return kind if kind in self.callbacks else self.plain[kind]

    def field(self, struct, field):
        if field["type"] == "function":
            return f"{struct['name'][:-2]}_{field['name']}_fn"
        # Text with a length may contain a zero: it stays an address.
        sized = any(f["name"] == field["name"] + "_size" for f in struct["fields"])
        base = "c_void_p" if sized else self.of(field["type"])
        return f"{base} * {field['count']}" if field["count"] else base


def _prototype(types, item, callback=False):
    # In a callback, text may be not terminated: it comes as an address.
    def of(kind):
        return "c_void_p" if callback and kind.endswith("*") else types.of(kind)
    return ", ".join([of(item["returns"])] + [of(p["type"]) for p in item["params"]])


def _raw(api):
    types = _Types(api)
    out = [HEADER.format("kvc.h for ctypes: structs, callbacks, signatures."),
           "from ctypes import (CFUNCTYPE, Structure, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8,\n"
           "                    c_uint32, c_uint64, c_void_p, sizeof)\n\n",
           f"ABI_VERSION = {api['abi']}\nVERSION = \"{api['version']}\"\n\n\n",
           "class _Struct(Structure):\n    def __init__(self, *args, **values):\n"
           "        super().__init__(*args, **values)\n        self.struct_size = sizeof(self)\n\n\n"]
    for callback in api["callbacks"]:
        out.append(f"{callback['name']} = CFUNCTYPE({_prototype(types, callback, True)})\n")
    for struct in api["structs"]:
        for field in struct["fields"]:
            if field["type"] == "function":
                out.append(f"{types.field(struct, field)} = CFUNCTYPE({_prototype(types, field, True)})\n")
    for struct in api["structs"]:
        out.append(f"\n\nclass {struct['name']}(_Struct):  # {struct['size']} bytes\n    _fields_ = [\n")
        out += [f"        (\"{f['name']}\", {types.field(struct, f)}),\n" for f in struct["fields"]]
        out.append("    ]\n")
    out.append("\n\n# name -> (result, parameters)\nFUNCTIONS = {\n")
    for function in api["functions"]:
        params = ", ".join(types.of(p["type"]) for p in function["params"])
        out.append(f"    \"{function['name']}\": ({types.of(function['returns'])}, ({params}{',' if params else ''})),\n")
    out.append("}\n")
    return "".join(out)


def _constants(api):
    out = [HEADER.format("The constants of kvc.h, grouped."), "from enum import IntEnum, IntFlag\n"]
    exported = []
    for group, members in description.groups(api).items():
        name = names.group_name(group)
        exported.append(name)
        out.append(f"\n\nclass {name}({'IntFlag' if group == 'NONE' else 'IntEnum'}):\n")
        for short, value, comment in members:
            out.append(f"    {short} = {value}{'  # ' + comment if comment else ''}\n")
    loose = [c for c in api["constants"] if not c["group"]]
    out.append("\n\n")
    out += [f"{c['name'][4:]} = {c['value']}\n" for c in loose]
    exported += [c["name"][4:] for c in loose]
    out.append("\n__all__ = [" + ", ".join(f'"{name}"' for name in exported) + "]\n")
    return "".join(out)


def _records(api):
    out = [HEADER.format("What kvc tells, as frozen values; units and meaning as in kvc.h."),
           "from ctypes import c_int32, string_at\nfrom dataclasses import dataclass\nfrom typing import List\n\n\n"
           "def _text(address_or_bytes, size=None):\n"
           "    if not address_or_bytes:\n        return \"\"\n"
           "    raw = address_or_bytes if size is None else string_at(address_or_bytes, size)\n"
           "    return raw.decode(\"utf-8\", \"replace\")\n\n\n"
           "def _ints(address, n):\n    return list((c_int32 * n).from_address(address)) if n and address else []\n"]
    exported = []
    for struct in names.records(api):
        name = names.record_name(struct)
        exported.append(name)
        fields, values = [], []
        siblings = {f["name"] for f in struct["fields"]}
        for field in names.shown_fields(struct):
            own, kind = field["name"], field["type"]
            if kind == "const char *":
                size = f", s.{own}_size" if f"{own}_size" in siblings else ""
                hint, value = "str", f"_text(s.{own}{size})"
            elif kind == "const int32_t *":
                hint, value = "List[int]", f"_ints(s.{own}, s.n_{own})"
            elif kind == "char" and field["count"]:
                hint, value = "str", f"_text(s.{own})"
            elif kind == "uint8_t" and field["count"]:
                hint, value = "bytes", f"bytes(s.{own})"
            elif field["count"]:
                hint, value = "List[int]", f"list(s.{own})"
            else:
                hint, value = "float" if kind in ("double", "float") else "int", f"s.{own}"
            comment = f"  # {field['comment']}" if field["comment"] else ""
            fields.append(f"    {own}: {hint}{comment}\n")
            values.append(value)
        out.append(f"\n\n@dataclass(frozen=True)\nclass {name}:\n" + "".join(fields))
        out.append("\n    @classmethod\n    def of(cls, s):\n        \"\"\"Copies the C struct.\"\"\"\n"
                   "        return cls(" + ",\n                   ".join(values) + ")\n")
    out.append("\n\n__all__ = [" + ", ".join(f'"{name}"' for name in exported) + "]\n")
    return "".join(out)


def files(api):
    yield "python/kvc/_raw.py", _raw(api)
    yield "python/kvc/constants.py", _constants(api)
    yield "python/kvc/records.py", _records(api)
