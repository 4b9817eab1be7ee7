"""What the generators of all languages share: names of groups and records."""

# Groups of constants whose own word would be unclear as the name of a type.
GROUP_NAMES = {"DTYPE": "DType", "LOG": "LogLevel", "NONE": "Absent", "BACKEND": "BackendKind", "OPTION": "OptionType",
               "MISS": "MissReason", "FINISH": "FinishReason", "CLOSE": "CloseHint"}


def camel(word):
    return "".join(part.capitalize() for part in word.lower().split("_"))


def group_name(group):
    return GROUP_NAMES.get(group, camel(group))


def record_name(struct):
    """kvc_page_info_t -> PageInfo"""
    return camel(struct["name"][len("kvc_"):-len("_t")])


def records(api):
    """Structs that only ever come out of kvc: languages copy them into values of their own."""
    for struct in api["structs"]:
        name = struct["name"]
        points_to_structs = any(f["type"].rstrip("* ").endswith("_t") and f["type"].endswith("*") and "kvc_" in f["type"]
                                for f in struct["fields"])
        if (name.endswith("_info_t") or name in ("kvc_stats_t", "kvc_response_t", "kvc_whatif_t")) and not points_to_structs:
            yield struct


def shown_fields(struct):
    """Fields of a record that a language shows: without struct_size, fillers, and the lengths of arrays."""
    names = {f["name"] for f in struct["fields"]}
    for field in struct["fields"]:
        name = field["name"]
        if name in ("struct_size", "reserved") or (name.startswith("n_") and name[2:] in names and
                                                   any(f["name"] == name[2:] and f["type"].endswith("*")
                                                       for f in struct["fields"])):
            continue
        if name.endswith("_size") and name[:-5] in names:
            continue
        yield field
