"""Rust: rust/kvc-sys/src/raw.rs (types, and the table of functions), rust/kvc/src/{constants,records}.rs."""
from gen import description, names

HEADER = "//! {}\n//!\n//! Written by bindings/generate from include/kvc/kvc.h; do not edit.\n"
SCALARS = {"char": "c_char", "uint8_t": "u8", "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64",
           "size_t": "usize", "float": "f32", "double": "f64", "void": "c_void"}
WORDS = {"type", "match", "ref", "move", "use", "where"}


def word(name):
    return f"r#{name}" if name in WORDS else name


def rust_type(kind):
    """'const char *const *' -> '*const *const c_char'"""
    parts = kind.replace("*", " * ").split()
    constant = parts[0] == "const"
    if constant:
        parts = parts[1:]
    out = SCALARS.get(parts[0], parts[0])
    for part in parts[1:]:
        if part == "*":
            out, constant = f"*{'const' if constant else 'mut'} {out}", False
        else:
            constant = True
    return out


def signature(item):
    params = ", ".join(f"{word(p['name'])}: {rust_type(p['type'])}" for p in item["params"])
    result = "" if item["returns"] == "void" else f" -> {rust_type(item['returns'])}"
    return f"unsafe extern \"C\" fn({params}){result}"


def field_type(field):
    if field["type"] == "function":
        return f"Option<{signature(field)}>"
    base = rust_type(field["type"])
    return f"[{base}; {field['count']}]" if field["count"] else base


def doc(text, indent=""):
    return "".join(f"{indent}/// {line}\n" if line else f"{indent}///\n" for line in text.strip().splitlines()) if text.strip() else ""


def plain(text):
    """A comment that rustdoc reads as words: no accidental links or markup."""
    return text.replace("[", "\\[").replace("]", "\\]").replace("<", "\\<").replace(">", "\\>")


def _raw(api):
    out = [HEADER.format("`kvc.h` for Rust: types, constants, and the functions as a table to be filled from a library."),
           "#![allow(non_camel_case_types, missing_docs, clippy::all)]\n",
           "use std::mem::{align_of, offset_of, size_of};\nuse std::os::raw::{c_char, c_void};\n\n"]
    out += [f"pub const {c['name']}: i32 = {c['value']};\n" for c in api["constants"]]
    out.append(f"/// Of the header that this crate was made from.\npub const VERSION: &str = \"{api['version']}\";\n\n")
    out += [f"pub type {a['name']} = {SCALARS[a['type']]};\n" for a in api["aliases"]]
    for handle in api["handles"]:
        out.append(f"\n/// {handle['comment']}\n#[repr(C)]\npub struct {handle['name']} {{\n    _private: [u8; 0],\n}}\n")
    out.append("\n")
    out += [f"pub type {c['name']} = Option<{signature(c)}>;\n" for c in api["callbacks"]]
    for struct in api["structs"]:
        out.append(f"\n#[repr(C)]\n#[derive(Clone, Copy)]\npub struct {struct['name']} {{\n")
        out += [f"    pub {word(f['name'])}: {field_type(f)},\n" for f in struct["fields"]]
        out.append("}\n")
        out.append(f"impl Default for {struct['name']} {{\n    /// All zero, and its own size.\n    fn default() -> Self {{\n"
                   "        // Integers, floats, null pointers and absent functions: zero is a value of each.\n"
                   "        let mut zero: Self = unsafe { std::mem::zeroed() };\n"
                   "        zero.struct_size = size_of::<Self>();\n        zero\n    }\n}\n")
        checks = [f"size_of::<{struct['name']}>() == {struct['size']}", f"align_of::<{struct['name']}>() == {struct['align']}"]
        checks += [f"offset_of!({struct['name']}, {word(f['name'])}) == {f['offset']}" for f in struct["fields"]]
        out.append("const _: () = {\n" + "".join(f"    assert!({c});\n" for c in checks) + "};\n")
    out.append("\n/// Every function of `kvc.h`, from one library.\npub struct Api {\n")
    for function in api["functions"]:
        out.append(f"    pub {function['name']}: {signature(function)},\n")
    out.append("}\n\nimpl Api {\n    /// Fills the table. `find` gives the address of a name.\n    ///\n    /// # Safety\n"
               "    /// The addresses must be of the functions that `kvc.h` declares under these names.\n"
               "    pub unsafe fn fill<E>(mut find: impl FnMut(&'static str) -> Result<*mut c_void, E>) -> Result<Self, E> {\n"
               "        Ok(Self {\n")
    out += [f"            {f['name']}: std::mem::transmute(find(\"{f['name']}\")?),\n" for f in api["functions"]]
    out.append("        })\n    }\n}\n")
    return "".join(out)


def _constants(api):
    out = [HEADER.format("The constants of `kvc.h`, grouped. A library may know more values than these."), "\n"]
    out.append("macro_rules! group {\n    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $member:ident = $value:expr,)* }) => {\n"
               "        $(#[$outer])*\n        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\n        pub struct $name(pub i32);\n"
               "        #[allow(missing_docs)]\n        impl $name {\n            $($(#[$inner])* pub const $member: $name = $name($value);)*\n"
               "            /// All that this version knows.\n            pub const ALL: &'static [$name] = &[$($name::$member,)*];\n        }\n"
               "        impl std::fmt::Debug for $name {\n            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {\n"
               "                match *self {\n                    $($name::$member => f.write_str(stringify!($member)),)*\n"
               "                    _ => write!(f, concat!(stringify!($name), \"({})\"), self.0),\n                }\n            }\n        }\n"
               "    };\n}\n")
    for group, members in description.groups(api).items():
        out.append(f"\ngroup! {{\n    /// `KVC_{group if group not in ('STATUS', 'PLANE', 'DTYPE') else ''}...` of `kvc.h`.\n"
                   f"    {names.group_name(group)} {{\n")
        for short, value, comment in members:
            out.append(doc(plain(comment), "        ") + f"        {short} = {value},\n")
        out.append("    }\n}\n")
    return "".join(out)


def _records(api):
    aliases = {a["name"]: SCALARS[a["type"]] for a in api["aliases"]}
    out = [HEADER.format("What kvc tells, as values; units and meaning as in `kvc.h`."),
           "use crate::text;\nuse kvc_sys::raw;\n"]
    for struct in names.records(api):
        siblings = {f["name"] for f in struct["fields"]}
        fields, values = [], []
        for field in names.shown_fields(struct):
            own, kind, name = field["name"], field["type"], word(field["name"])
            if kind == "const char *":
                hint = "String"
                value = f"text::sized(s.{own}, s.{own}_size)" if f"{own}_size" in siblings else f"text::terminated(s.{own})"
            elif kind == "const int32_t *":
                hint, value = "Vec<i32>", f"text::ints(s.{own}, s.n_{own} as usize)"
            elif kind == "char" and field["count"]:
                hint, value = "String", f"text::terminated(s.{own}.as_ptr())"
            else:
                hint, value = aliases.get(kind) or field_type(field), f"s.{name}"
            fields.append(doc(plain(field["comment"]) or own.replace("_", " "), "    ") + f"    pub {name}: {hint},\n")
            values.append(f"            {name}: {value},\n")
        out.append(f"\n/// `{struct['name']}`.\n#[derive(Clone, Debug, PartialEq)]\n#[non_exhaustive]\npub struct {names.record_name(struct)} {{\n"
                   + "".join(fields) + "}\n")
        unsafe = any("text::" in v for v in values)
        out.append(f"\nimpl {names.record_name(struct)} {{\n    /// Copies the C struct, whose pointers must be valid.\n"
                   f"    pub(crate) {'unsafe ' if unsafe else ''}fn of(s: &raw::{struct['name']}) -> Self {{\n        Self {{\n"
                   + "".join(values) + "        }\n    }\n}\n")
    return "".join(out)


def files(api):
    yield "rust/kvc-sys/src/raw.rs", _raw(api)
    yield "rust/kvc/src/constants.rs", _constants(api)
    yield "rust/kvc/src/records.rs", _records(api)
