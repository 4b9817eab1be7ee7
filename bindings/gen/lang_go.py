"""Go: go/internal/ffi/{raw,layout}.go (structs, calls, offsets), go/constants.go, go/records.go."""
from gen import description, names

HEADER = "// Code written by bindings/generate from include/kvc/kvc.h; DO NOT EDIT.\n\npackage {}\n"
SCALARS = {"char": "byte", "uint8_t": "uint8", "int32_t": "int32", "uint32_t": "uint32", "int64_t": "int64", "uint64_t": "uint64",
           "size_t": "uintptr", "float": "float32", "double": "float64", "void": ""}
BARE = {"DTYPE", "PLANE"}


def go_name(name):
    """kvc_page_info_t -> KvcPageInfoT, page_tokens -> PageTokens"""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


class _Types:
    def __init__(self, api):
        self.plain = dict(SCALARS)
        self.plain.update({a["name"]: SCALARS[a["type"]] for a in api["aliases"]})
        self.handles = {h["name"] for h in api["handles"]}
        self.callbacks = {c["name"] for c in api["callbacks"]}

    def field(self, field):
        kind = field["type"]
        # A number under which a Go object is found, a handle, a C function: never an address in Go's memory.
        if field["name"] == "user_data" or kind == "function" or kind in self.callbacks or kind.rstrip(" *") in self.handles:
            return "uintptr"
        base = "unsafe.Pointer" if kind.endswith("*") else self.plain[kind]
        return f"[{field['count']}]{base}" if field["count"] else base

    def param(self, kind):
        if kind in self.callbacks:
            return "uintptr"
        if not kind.endswith("*"):
            return self.plain[kind]
        words = kind.replace("const", "").replace(" ", "")
        base, stars = words.rstrip("*"), words.count("*")
        if base in self.handles:
            return "*" * (stars - 1) + "uintptr"
        if base == "void":
            return "unsafe.Pointer"
        return "*" * stars + (self.plain[base] if base in self.plain else go_name(base))


def _aligned(lines):
    """Rows of words in columns, as gofmt lays them."""
    width = max((len(line[0]) for line in lines), default=0)
    return "".join(f"\t{line[0]:{width}} {line[1]}\n" for line in lines)


def _raw(api):
    types = _Types(api)
    out = ["// Package ffi is kvc.h for Go: structs, and every function as a call through its address.\n//\n",
           HEADER.format("ffi"), "\nimport \"unsafe\"\n\n",
           f"// Version and AbiVersion are those of the header that this was made from.\nconst (\n"
           f"\tVersion    = \"{api['version']}\"\n\tAbiVersion = {api['abi']}\n)\n"]
    for struct in api["structs"]:
        out.append(f"\n// {go_name(struct['name'])} is {struct['name']}, {struct['size']} bytes.\ntype {go_name(struct['name'])} struct {{\n")
        out.append(_aligned([(go_name(f["name"]), types.field(f)) for f in struct["fields"]]) + "}\n")
    out.append("\n// Functions are the names in the order of their addresses.\nvar Functions = [...]string{\n")
    out += [f"\t\"{f['name']}\",\n" for f in api["functions"]]
    out.append("}\n\nvar addresses [len(Functions)]uintptr\n")
    for index, function in enumerate(api["functions"]):
        params = ", ".join(f"{_own(p['name'])} {types.param(p['type'])}" for p in function["params"])
        given = "".join(f", {_word(types.param(p['type']), _own(p['name']))}" for p in function["params"])
        call = f"call(addresses[{index}]{given})"
        returns = function["returns"]
        if returns == "void":
            result, body = "", call
        elif returns.endswith("*"):
            # Text of kvc: memory that Go knows nothing of.
            result, body = " string", f"return textAt({call})"
        else:
            result, body = f" {types.param(returns)}", f"return {types.param(returns)}({call})"
        out.append(f"\n// {go_name(function['name'])} is {function['name']}.\nfunc {go_name(function['name'])}({params}){result} {{\n\t{body}\n}}\n")
    return "".join(out)


def _own(name):
    return {"range": "rng", "type": "kind"}.get(name, "".join(part if i == 0 else part.capitalize() for i, part in enumerate(name.split("_"))))


def _word(kind, name):
    if kind == "uintptr":
        return name
    if kind == "unsafe.Pointer":
        return f"uintptr({name})"
    return f"uintptr(unsafe.Pointer({name}))" if kind.startswith("*") else f"uintptr({name})"


def _layout(api):
    out = [HEADER.format("ffi"), "\nimport \"unsafe\"\n\n// Place is where a field lies.\ntype Place struct{ Offset, Size uintptr }\n\n"
           "// Layout is how this compiler lays a struct out, by the names of kvc.h.\ntype Layout struct {\n\tSize   uintptr\n"
           "\tFields map[string]Place\n}\n\n// Layouts is for the test that compares them with what a C compiler says.\n"
           "func Layouts() map[string]Layout {\n\tall := map[string]Layout{}\n"]
    for struct in api["structs"]:
        variable = "s"
        out.append(f"\t{{\n\t\tvar {variable} {go_name(struct['name'])}\n\t\tall[\"{struct['name']}\"] = Layout{{unsafe.Sizeof({variable}), map[string]Place{{\n")
        for f in struct["fields"]:
            name = f"{variable}.{go_name(f['name'])}"
            out.append(f"\t\t\t\"{f['name']}\": {{unsafe.Offsetof({name}), unsafe.Sizeof({name})}},\n")
        out.append("\t\t}}\n\t}\n")
    out.append("\treturn all\n}\n\n// Constants are the constants of kvc.h.\nvar Constants = map[string]int64{\n")
    out += [f"\t\"{c['name']}\": {c['value']},\n" for c in api["constants"]]
    out.append("}\n")
    return "".join(out)


def _constants(api):
    out = [HEADER.format("kvc")]
    for group, members in description.groups(api).items():
        name = names.group_name(group)
        kind = {"NONE": "uint32"}.get(group, "int32")
        out.append(f"\n// {name} is {'kvc_status_t' if group == 'STATUS' else 'KVC_' + group + '_*'} of kvc.h.\ntype {name} {kind}\n\n"
                   f"// Values of {name}.\nconst (\n")
        for short, value, comment in members:
            if group == "STATUS":
                own = names.camel(short) if value >= 0 and short != "OK" else "OK" if short == "OK" else "Err" + names.camel(short)
            else:
                own = short if group == "DTYPE" else names.camel(short) if group in BARE else name + names.camel(short)
            text = " ".join(comment.split())
            out.append((f"\t// {own}: {text}\n" if text else "") + f"\t{own} {name} = {value}\n")
        out.append(")\n")
    loose = [c for c in api["constants"] if not c["group"]]
    out.append("\n// Constants that have no relatives.\nconst (\n" + "".join(f"\t{names.camel(c['name'][4:])} = {c['value']}\n" for c in loose) + ")\n")
    return "".join(out)


def _records(api):
    types = _Types(api)
    out = [HEADER.format("kvc"), "\nimport \"github.com/libkvc/kvc/bindings/go/internal/ffi\"\n"]
    for struct in names.records(api):
        name = names.record_name(struct)
        siblings = {f["name"] for f in struct["fields"]}
        fields, values = [], []
        for field in names.shown_fields(struct):
            own, kind = go_name(field["name"]), field["type"]
            if kind == "const char *":
                hint = "string"
                value = f"textOf(s.{own}, s.{own}Size)" if f"{field['name']}_size" in siblings else f"terminated(s.{own})"
            elif kind == "const int32_t *":
                hint, value = "[]int32", f"intsOf(s.{own}, uintptr(s.N{own}))"
            elif kind == "char" and field["count"]:
                hint, value = "string", f"fromChars(s.{own}[:])"
            elif kind == "kvc_status_t":
                hint, value = "Status", f"Status(s.{own})"
            else:
                hint, value = types.field(field), f"s.{own}"
            comment = " ".join(field["comment"].split())
            fields.append((f"\t// {own}: {comment}\n" if comment else "") + f"\t{own} {hint}\n")
            values.append(f"\t\t{own}: {value},\n")
        out.append(f"\n// {name} is {struct['name']}; units and meaning as in kvc.h.\ntype {name} struct {{\n{''.join(fields)}}}\n\n"
                   f"func new{name}(s *ffi.{go_name(struct['name'])}) {name} {{\n\treturn {name}{{\n{''.join(values)}\t}}\n}}\n")
    return "".join(out)


def files(api):
    yield "go/internal/ffi/raw.go", _raw(api)
    yield "go/internal/ffi/layout.go", _layout(api)
    yield "go/constants.go", _constants(api)
    yield "go/records.go", _records(api)
