"""Node: src/raw.cjs (signatures and offsets), src/constants.{cjs,mjs}, src/records.cjs, and src/generated.d.ts with their types."""
import json

from gen import description, names

HEADER = "// {}\n// Written by bindings/generate from include/kvc/kvc.h; do not edit.\n"
READ = {"char": "getUint8({})", "uint8_t": "getUint8({})", "int32_t": "getInt32({}, true)", "uint32_t": "getUint32({}, true)",
        "int64_t": "getBigInt64({}, true)", "uint64_t": "getBigUint64({}, true)", "size_t": "getBigUint64({}, true)",
        "float": "getFloat32({}, true)", "double": "getFloat64({}, true)"}
ARRAYS = {"uint8_t": ("bytes", "Uint8Array"), "uint64_t": ("counts", "number[]")}
# Numbers of which every bit counts.
EXACT = {"ticket", "domain"}


def js_name(name):
    parts = name.split("_")
    return parts[0] + "".join(p.capitalize() for p in parts[1:])


def _koffi(types, kind, callback=False):
    """Pointers take null, buffers, typed arrays and addresses; in a callback they come as addresses."""
    if kind == "void":
        return "void"
    if kind.endswith("*") or kind in types["callbacks"]:
        base = kind.replace("const", "").replace(" ", "").rstrip("*")
        handle = base in types["handles"] and kind.count("*") == 1
        return "uint64_t" if handle or callback else "void *"
    return types["plain"].get(kind, kind)


def _types(api):
    return {"handles": {h["name"] for h in api["handles"]}, "callbacks": {c["name"] for c in api["callbacks"]},
            "plain": {a["name"]: a["type"] for a in api["aliases"]}}


def _raw(api):
    types = _types(api)
    out = [HEADER.format("kvc.h for koffi: signatures, and where the fields of structs lie."), "'use strict';\n\n",
           f"exports.VERSION = '{api['version']}';\nexports.ABI_VERSION = {api['abi']};\n\n",
           "// name: [result, parameters]\nexports.functions = {\n"]
    out += [f"  {f['name']}: ['{_koffi(types, f['returns'])}', {json.dumps([_koffi(types, p['type']) for p in f['params']])}],\n"
            for f in api["functions"]]
    out.append("};\n\n// What kvc calls.\nexports.callbacks = {\n")
    items = [(c["name"], c) for c in api["callbacks"]]
    items += [(f"{s['name'][:-2]}_{f['name']}", f) for s in api["structs"] for f in s["fields"] if f["type"] == "function"]
    out += [f"  {name}: ['{_koffi(types, c['returns'], True)}', {json.dumps([_koffi(types, p['type'], True) for p in c['params']])}],\n"
            for name, c in items]
    out.append("};\n\n// struct: its size, and the offset of each field\nexports.structs = {\n")
    for s in api["structs"]:
        fields = ", ".join(f"{f['name']}: {f['offset']}" for f in s["fields"])
        out.append(f"  {s['name']}: {{ sizeof: {s['size']}, at: {{ {fields} }} }},\n")
    out.append("};\n\n// The constants by their C names.\nexports.constants = {\n")
    out += [f"  {c['name']}: {c['value']},\n" for c in api["constants"]]
    out.append("};\n")
    return "".join(out)


def _constants(api):
    out = [HEADER.format("The constants of kvc.h, grouped."), "'use strict';\n"]
    types = []
    for group, members in description.groups(api).items():
        name = names.group_name(group)
        out.append(f"\nexports.{name} = Object.freeze({{\n")
        out += [f"  {short}: {value},{' // ' + ' '.join(comment.split()) if comment else ''}\n" for short, value, comment in members]
        out.append("});\n")
        fields = "".join((f"  /** {' '.join(c.split())} */\n" if c else "") + f"  readonly {short}: {value};\n" for short, value, c in members)
        types.append(f"\n/** {'kvc_status_t' if group == 'STATUS' else 'KVC_' + group + '_*'} of kvc.h. */\nexport const {name}: {{\n{fields}}};\n")
    return "".join(out), "".join(types)


def _records(api):
    plain = _types(api)["plain"]
    out = [HEADER.format("What kvc tells, as objects; units and meaning as in kvc.h."),
           "'use strict';\n\nconst { bytes, counts, ints, text, terminated, chars } = require('./memory.cjs');\n"]
    types = []
    for struct in names.records(api):
        name = names.record_name(struct)
        offsets = {f["name"]: f["offset"] for f in struct["fields"]}
        out.append(f"\nexports.{name[0].lower() + name[1:]} = (v) => ({{\n")
        types.append(f"\n/** {struct['name']}; units and meaning as in kvc.h. */\nexport interface {name} {{\n")
        for f in names.shown_fields(struct):
            own, kind, at = f["name"], plain.get(f["type"], f["type"]), f["offset"]
            if kind == "const char *":
                hint = "string"
                value = f"text(v, {at}, {offsets[own + '_size']})" if f"{own}_size" in offsets else f"terminated(v, {at})"
            elif kind == "const int32_t *":
                hint, value = "Int32Array", f"ints(v, {at}, {offsets['n_' + own]})"
            elif kind == "char" and f["count"]:
                hint, value = "string", f"chars(v, {at}, {f['count']})"
            elif f["count"]:
                function, hint = ARRAYS[kind]
                value = f"{function}(v, {at}, {f['count']})"
            else:
                value = "v." + READ[kind].format(at)
                hint = "number"
                if kind in ("uint64_t", "size_t", "int64_t"):
                    hint, value = ("bigint", value) if own in EXACT else ("number", f"Number({value})")
            out.append(f"  {js_name(own)}: {value},\n")
            comment = " ".join(f["comment"].replace("*/", "").split())
            types.append((f"  /** {comment} */\n" if comment else "") + f"  readonly {js_name(own)}: {hint};\n")
        out.append("});\n")
        types.append("}\n")
    return "".join(out), "".join(types)


def files(api):
    constants, constant_types = _constants(api)
    records, record_types = _records(api)
    yield "node/src/raw.cjs", _raw(api)
    yield "node/src/constants.cjs", constants
    own = ", ".join(names.group_name(group) for group in description.groups(api))
    yield "node/src/constants.mjs", (HEADER.format("constants.cjs for import.")
                                     + f"import constants from './constants.cjs';\n\nexport const {{ {own} }} = constants;\n")
    yield "node/src/records.cjs", records
    yield "node/src/generated.d.ts", HEADER.format("Types of constants.cjs and records.cjs.") + constant_types + record_types
