"""Java: Raw.java (calls through the foreign function interface), Structs.java (layouts), one class of constants for each group, and one
record for each struct that kvc fills in."""
from gen import description, names

FOLDER = "java/src/main/java/io/github/libkvc"
HEADER = "// Written by bindings/generate from include/kvc/kvc.h; do not edit.\npackage io.github.libkvc;\n\n"
# C type -> (Java, carrier layout, bytes). Addresses and size_t are longs.
SCALARS = {"char": ("byte", "JAVA_BYTE", 1), "uint8_t": ("byte", "JAVA_BYTE", 1), "int32_t": ("int", "JAVA_INT", 4),
           "uint32_t": ("int", "JAVA_INT", 4), "int64_t": ("long", "JAVA_LONG", 8), "uint64_t": ("long", "JAVA_LONG", 8),
           "size_t": ("long", "JAVA_LONG", 8), "float": ("float", "JAVA_FLOAT", 4), "double": ("double", "JAVA_DOUBLE", 8)}
WORDS = {"default", "long", "interface"}


def lower_camel(name):
    parts = name.split("_")
    text = parts[0] + "".join(p.capitalize() for p in parts[1:])
    return text + "_" if text in WORDS else text


def comment_of(text, indent="    "):
    text = " ".join(text.replace("*/", "").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;").replace("\\", "&#92;").split())
    return f"{indent}/** {text} */\n" if text else ""


class _Types:
    def __init__(self, api):
        self.plain = dict(SCALARS)
        self.plain.update({a["name"]: SCALARS[a["type"]] for a in api["aliases"]})
        self.callbacks = {c["name"] for c in api["callbacks"]}

    def of(self, kind):
        if kind.endswith("*") or kind == "function" or kind in self.callbacks:
            return ("long", "JAVA_LONG", 8)
        return self.plain[kind]


def _descriptor(types, item):
    params = [types.of(p["type"])[1] for p in item["params"]]
    if item["returns"] == "void":
        return f"FunctionDescriptor.ofVoid({', '.join(params)})"
    return f"FunctionDescriptor.of({', '.join([types.of(item['returns'])[1]] + params)})"


def _raw(api):
    types = _Types(api)
    out = [HEADER, "import static java.lang.foreign.ValueLayout.*;\n\nimport java.lang.foreign.FunctionDescriptor;\n"
           "import java.lang.invoke.MethodHandle;\n\n/** The functions of kvc.h; addresses are longs. A function is looked up when it is first called. */\n"
           "final class Raw {\n    private Raw() {}\n\n"
           f"    static final String VERSION = \"{api['version']}\";\n    static final int ABI_VERSION = {api['abi']};\n"]
    for f in api["functions"]:
        params = ", ".join(f"{types.of(p['type'])[0]} {lower_camel(p['name'])}" for p in f["params"])
        args = ", ".join(lower_camel(p["name"]) for p in f["params"])
        result = "void" if f["returns"] == "void" else types.of(f["returns"])[0]
        give = "" if result == "void" else f"return ({result}) "
        out.append(f"\n    private static final class Of_{f['name']} {{\n        static final MethodHandle CALL = Library.function(\"{f['name']}\", {_descriptor(types, f)});\n    }}\n\n"
                   f"    static {result} {f['name']}({params}) {{\n        try {{\n            {give}Of_{f['name']}.CALL.invokeExact({args});\n"
                   "        } catch (Throwable e) {\n            throw Library.unexpected(e);\n        }\n    }\n")
    out.append("\n    /** Functions that kvc calls: what they look like. */\n    static final class Callbacks {\n        private Callbacks() {}\n\n")
    for c in api["callbacks"]:
        out.append(f"        static final FunctionDescriptor {c['name'].upper()} = {_descriptor(types, c)};\n")
    for s in api["structs"]:
        for f in s["fields"]:
            if f["type"] == "function":
                out.append(f"        static final FunctionDescriptor {s['name'][:-2].upper()}_{f['name'].upper()} = {_descriptor(types, f)};\n")
    out.append("    }\n}\n")
    return "".join(out)


def _structs(api):
    types = _Types(api)
    out = [HEADER, "import static java.lang.foreign.ValueLayout.*;\n\nimport java.lang.foreign.MemoryLayout;\nimport java.lang.foreign.MemoryLayout.PathElement;\n"
           "import java.lang.foreign.StructLayout;\nimport java.util.Map;\n\n/** How the structs of kvc.h lie in memory, and its constants by their C names. */\nfinal class Structs {\n    private Structs() {}\n\n"
           "    private static long at(StructLayout layout, String field) {\n        return layout.byteOffset(PathElement.groupElement(field));\n    }\n"]
    for s in api["structs"]:
        parts, offset = [], 0
        for f in s["fields"]:
            if f["offset"] > offset:
                parts.append(f"MemoryLayout.paddingLayout({f['offset'] - offset})")
            layout = types.of(f["type"])[1]
            if f["count"]:
                layout = f"MemoryLayout.sequenceLayout({f['count']}, {layout})"
            parts.append(f"{layout}.withName(\"{f['name']}\")")
            offset = f["offset"] + f["size"]
        if s["size"] > offset:
            parts.append(f"MemoryLayout.paddingLayout({s['size'] - offset})")
        joined = ",\n            ".join(parts)
        out.append(f"\n    static final class {s['name']} {{\n        static final StructLayout LAYOUT = MemoryLayout.structLayout(\n            {joined});\n"
                   "        static final long SIZEOF = LAYOUT.byteSize();\n")
        out += [f"        static final long {f['name'].upper()} = at(LAYOUT, \"{f['name']}\");\n" for f in s["fields"]]
        out.append("    }\n")
    out.append("\n    /** For the test that compares them with what a C compiler says. */\n    static final Map<String, StructLayout> ALL = Map.ofEntries(\n"
               + ",\n".join(f"        Map.entry(\"{s['name']}\", {s['name']}.LAYOUT)" for s in api["structs"]) + ");\n\n"
               "    static final Map<String, Integer> CONSTANTS = Map.ofEntries(\n"
               + ",\n".join(f"        Map.entry(\"{c['name']}\", {c['value']})" for c in api["constants"]) + ");\n}\n")
    return "".join(out)


def _group(group, members):
    name = names.group_name(group)
    out = [HEADER, f"/** {'kvc_status_t' if group == 'STATUS' else 'KVC_' + group + '_*'} of kvc.h. More may come; so they are numbers. */\n"
           f"public final class {name} {{\n    private {name}() {{}}\n"]
    for short, value, comment in members:
        out.append("\n" + comment_of(comment or short.lower()) + f"    public static final int {short} = {value};\n")
    out.append("}\n")
    return name, "".join(out)


def _record(api, struct):
    types = _Types(api)
    name = names.record_name(struct)
    siblings = {f["name"] for f in struct["fields"]}
    params, values, docs = [], [], []
    for field in names.shown_fields(struct):
        own, kind = field["name"], field["type"]
        where = f"{struct['name']}.{own.upper()}"
        if kind == "const char *":
            hint = "String"
            value = f"Mem.text(s, {where}, {struct['name']}.{own.upper()}_SIZE)" if f"{own}_size" in siblings else f"Mem.text(s, {where})"
        elif kind == "const int32_t *":
            hint, value = "int[]", f"Mem.ints(s, {where}, {struct['name']}.N_{own.upper()})"
        elif kind == "char" and field["count"]:
            hint, value = "String", f"s.getString({where})"
        elif field["count"]:
            java, layout, _size = types.of(kind)
            hint, value = f"{java}[]", f"s.asSlice({where}, {field['size']}).toArray({layout})"
        else:
            java, layout, _size = types.of(kind)
            hint, value = java, f"s.get({layout}, {where})"
        docs.append(f" * @param {lower_camel(own)} {comment_of(field['comment'] or own.replace('_', ' '), '')[4:-4]}\n")
        params.append(f"    {hint} {lower_camel(own)}")
        values.append(f"            {value}")
    return name, (HEADER + f"import static java.lang.foreign.ValueLayout.*;\n\nimport io.github.libkvc.Structs.{struct['name']};\nimport java.lang.foreign.MemorySegment;\n\n"
                  f"/**\n * {struct['name']}; units as in kvc.h, numbers without sign unless said.\n *\n{''.join(docs)} */\npublic record {name}(\n" + ",\n".join(params) + ") {\n"
                  f"    static {name} of(MemorySegment s) {{\n        return new {name}(\n" + ",\n".join(values) + ");\n    }\n}\n")


def files(api):
    yield f"{FOLDER}/Raw.java", _raw(api)
    yield f"{FOLDER}/Structs.java", _structs(api)
    for group, members in description.groups(api).items():
        name, text = _group(group, members)
        yield f"{FOLDER}/{name}.java", text
    for struct in names.records(api):
        name, text = _record(api, struct)
        yield f"{FOLDER}/{name}.java", text
