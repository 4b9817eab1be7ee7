"""C#: src/Raw.cs (structs, delegates, functions), src/Constants.cs, src/Records.cs."""
from gen import description, names

HEADER = "// {}\n// Written by bindings/generate from include/kvc/kvc.h; do not edit.\n"
SCALARS = {"char": "byte", "uint8_t": "byte", "int32_t": "int", "uint32_t": "uint", "int64_t": "long", "uint64_t": "ulong",
           "size_t": "ulong", "float": "float", "double": "double", "void": "void"}
WORDS = {"params", "out", "in", "ref", "object", "base", "lock", "string", "event", "none"}


def pascal(name):
    return "".join(p[:1].upper() + p[1:] for p in name.split("_"))


class _Types:
    def __init__(self, api):
        self.plain = dict(SCALARS)
        self.plain.update({a["name"]: SCALARS[a["type"]] for a in api["aliases"]})
        self.callbacks = {c["name"] for c in api["callbacks"]}
        self.handles = {h["name"] for h in api["handles"]}
        self.structs = {s["name"] for s in api["structs"]}

    def of(self, kind, name=""):
        """Handles and numbers given as user_data are ulong; other pointers say to what."""
        if kind == "function" or kind in self.callbacks:
            return "IntPtr"
        if not kind.endswith("*"):
            return self.plain[kind]
        words = kind.replace("const", "").replace(" ", "")
        base, stars = words.rstrip("*"), words.count("*")
        if base in self.handles:
            return "ulong" + "*" * (stars - 1)
        if name == "user_data":
            return "ulong"
        return (self.plain.get(base) or base) + "*" * stars


def _word(name):
    return "@" + name if name in WORDS else name


def _signature(types, item):
    return ", ".join(f"{types.of(p['type'], p['name'])} {_word(p['name'])}" for p in item["params"])


def _raw(api):
    types = _Types(api)
    out = [HEADER.format("kvc.h for C#: structs, delegates, functions."),
           "using System;\nusing System.Collections.Generic;\nusing System.Runtime.InteropServices;\n\n#pragma warning disable 169, 649, IDE1006, CS8981\n\n"
           "namespace Kvc\n{\n"]
    for s in api["structs"]:
        unsafe = "unsafe "
        out.append(f"    [StructLayout(LayoutKind.Sequential)]\n    internal {unsafe}struct {s['name']}\n    {{\n")
        for f in s["fields"]:
            kind = types.of(f["type"], f["name"])
            out.append(f"        public fixed {kind} {_word(f['name'])}[{f['count']}];\n" if f["count"] else f"        public {kind} {_word(f['name'])};\n")
        out.append("    }\n\n")
    items = [(c["name"], c) for c in api["callbacks"]]
    items += [(f"{s['name'][:-2]}_{f['name']}_fn", f) for s in api["structs"] for f in s["fields"] if f["type"] == "function"]
    for name, c in items:
        out.append("    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]\n"
                   f"    internal unsafe delegate {types.of(c['returns'])} {name}({_signature(types, c)});\n\n")
    out.append("    /// <summary>The functions of kvc.h. Library.Load must have been called.</summary>\n    internal static unsafe partial class Raw\n    {\n"
               f"        public const string Version = \"{api['version']}\";\n        public const uint AbiVersion = {api['abi']};\n"
               f"        public const string Name = \"libkvc.so.{api['abi']}\";\n\n#if NET7_0_OR_GREATER\n")
    for f in api["functions"]:
        out.append(f"        [LibraryImport(Name)]\n        public static partial {types.of(f['returns'])} {f['name']}({_signature(types, f)});\n")
    out.append("#else\n")
    for f in api["functions"]:
        out.append("        [DllImport(Name, CallingConvention = CallingConvention.Cdecl)]\n"
                   f"        public static extern {types.of(f['returns'])} {f['name']}({_signature(types, f)});\n")
    out.append("#endif\n    }\n\n    /// <summary>For the test that compares with what a C compiler says.</summary>\n    internal static class Layouts\n    {\n"
               "        public static readonly Dictionary<string, Type> Structs = new Dictionary<string, Type>\n        {\n")
    out += [f"            {{ \"{s['name']}\", typeof({s['name']}) }},\n" for s in api["structs"]]
    out.append("        };\n\n        public static readonly Dictionary<string, long> Constants = new Dictionary<string, long>\n        {\n")
    out += [f"            {{ \"{c['name']}\", {c['value']} }},\n" for c in api["constants"]]
    out.append("        };\n    }\n}\n")
    return "".join(out)


def _xml(text):
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())


def _constants(api):
    out = [HEADER.format("The constants of kvc.h, grouped."), "using System;\n\nnamespace Kvc\n{\n"]
    for group, members in description.groups(api).items():
        # System.Action is another thing.
        name = {"ACTION": "RequestAction"}.get(group) or names.group_name(group)
        kind = "uint" if group == "NONE" else "int"
        flags = "    [Flags]\n" if group == "NONE" else ""
        out.append(f"    /// <summary>{'kvc_status_t' if group == 'STATUS' else 'KVC_' + group + '_*'} of kvc.h; more may come.</summary>\n{flags}"
                   f"    public enum {name} : {kind}\n    {{\n")
        for short, value, comment in members:
            own = short if group == "DTYPE" else names.camel(short)
            out.append((f"        /// <summary>{_xml(comment)}</summary>\n" if comment else f"        /// <summary>{own}</summary>\n") + f"        {own} = {value},\n")
        out.append("    }\n\n")
    out.append("}\n")
    return "".join(out)


def _records(api):
    types = _Types(api)
    out = [HEADER.format("What kvc tells, as objects; units and meaning as in kvc.h."), "namespace Kvc\n{\n"]
    for struct in names.records(api):
        name = names.record_name(struct)
        siblings = {f["name"] for f in struct["fields"]}
        fields, values = [], []
        for f in names.shown_fields(struct):
            own, kind = f["name"], f["type"]
            if kind == "const char *":
                hint, value = "string", f"Memory.Text(s->{own}, s->{own}_size)" if f"{own}_size" in siblings else f"Memory.Text(s->{own})"
            elif kind == "const int32_t *":
                hint, value = "int[]", f"Memory.Ints(s->{own}, s->n_{own})"
            elif kind == "char" and f["count"]:
                hint, value = "string", f"Memory.Text(s->{own})"
            elif f["count"]:
                hint = types.of(kind) + "[]"
                value = f"Memory.Array(s->{own}, {f['count']})"
            elif kind == "kvc_status_t":
                hint, value = "Status", f"(Status)s->{own}"
            else:
                hint, value = types.of(kind), f"s->{own}"
            member = pascal(own)
            fields.append(f"        /// <summary>{_xml(f['comment']) or own.replace('_', ' ')}</summary>\n        public readonly {hint} {member};\n")
            values.append(f"            {member} = {value};\n")
        out.append(f"    /// <summary>{struct['name']}.</summary>\n    public sealed unsafe class {name}\n    {{\n" + "".join(fields)
                   + f"\n        internal {name}({struct['name']}* s)\n        {{\n" + "".join(values) + "        }\n    }\n\n")
    out.append("}\n")
    return "".join(out)


def files(api):
    yield "csharp/src/Raw.cs", _raw(api)
    yield "csharp/src/Constants.cs", _constants(api)
    yield "csharp/src/Records.cs", _records(api)
