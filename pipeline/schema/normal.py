"""A JSON Schema in, its normal form out: the one small shape from which the decoder form and the columns are made.

In the normal form there is no `$ref`, `allOf`, `oneOf`, `const` or list of types. A node is one of
    {}                          any value
    {"enum": [...]}             one of these values; an empty list: no value at all
    {"anyOf": [node, ...]}      a value of any branch
    {"type": one name, ...}     with the keywords of that type that the grammar knows
each with its annotations (title, description, x-...). Keywords that only the validator can check are left out, so the
normal form accepts every answer that the schema accepts, and sometimes more. It knows nothing of tokens or Arrow.
"""

from __future__ import annotations

from typing import Any

from pipeline.errors import SchemaError
from pipeline.schema.intersect import NEVER, Schema, describing, intersect, is_never, union
from pipeline.schema.pointer import child, follow

MAX_NODES = 20_000
"""Most nodes of a normal form; a schema whose references multiply beyond this is refused."""
MAX_DEPTH = 60
"""Deepest nesting of objects."""
_RANGES = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
)

KEYWORDS: dict[str, tuple[str, ...]] = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "maxProperties",
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": (),
    "null": (),
}
"""The keywords of each type that the normal form carries."""


def normalise(schema: Schema) -> Schema:
    """Give the normal form of a whole schema.

    Raises:
        SchemaError: a reference that is remote, broken or recursive; an `allOf` whose parts cannot be made one; nesting
            beyond MAX_DEPTH or size beyond MAX_NODES. The message names the JSON pointer.
    """
    return _Normaliser(schema).node(schema, "", ())


class _Normaliser:
    """Holds the root that references point into, and the count that stops a schema from exploding."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._n_nodes = 0

    def node(self, schema: Any, pointer: str, open_refs: tuple[str, ...]) -> Schema:  # noqa: ANN401 - any JSON
        """Normalise one schema; `open_refs` are the references being followed, to find recursion."""
        self._count(pointer)
        if isinstance(schema, bool):
            return {} if schema else dict(NEVER)
        result = self._own(schema, pointer, open_refs)
        if "$ref" in schema:
            result = intersect(result, self._referenced(schema["$ref"], pointer, open_refs), pointer)
        for i, part in enumerate(schema.get("allOf", ())):
            result = intersect(result, self.node(part, child(pointer, "allOf", i), open_refs), pointer)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                branches = [
                    intersect(result, self.node(part, child(pointer, keyword, i), open_refs), pointer)
                    for i, part in enumerate(schema[keyword])
                ]
                self._n_nodes += sum(map(_size, branches))
                result = union(branches)
        return {**result, **describing(schema)}

    def _count(self, pointer: str) -> None:
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            raise SchemaError(
                f"at {pointer or '/'}: with its references written out the schema has more than {MAX_NODES:,} parts; "
                "split the task into smaller ones"
            )
        if pointer.count("/") > 2 * MAX_DEPTH:
            raise SchemaError(f"at {pointer}: nested deeper than {MAX_DEPTH} levels; flatten the schema")

    def _referenced(self, ref: str, pointer: str, open_refs: tuple[str, ...]) -> Schema:
        where = child(pointer, "$ref")
        if not ref.startswith("#") or (len(ref) > 1 and not ref.startswith("#/")):
            raise SchemaError(
                f"at {where}: found {ref!r}, but only references inside the file such as '#/$defs/name' are followed; "
                "copy the definition into $defs"
            )
        if ref in open_refs:
            raise SchemaError(
                f"at {where}: {ref!r} refers to itself; recursive schemas are not supported yet. Write the levels you "
                "need out, one below the other"
            )
        if len(open_refs) > MAX_DEPTH:
            raise SchemaError(f"at {where}: references nested deeper than {MAX_DEPTH} levels; flatten the schema")
        found = follow(self._root, ref[1:])
        if not isinstance(found, dict | bool):
            raise SchemaError(f"at {where}: {ref!r} leads to no schema in this file; correct the reference")
        return self.node(found, pointer, (*open_refs, ref))

    def _own(self, schema: Schema, pointer: str, open_refs: tuple[str, ...]) -> Schema:
        """Normalise the keywords beside `$ref`, `allOf`, `anyOf` and `oneOf`."""
        typed = union([self._typed(name, schema, pointer, open_refs) for name in _types(schema)])
        if not _types(schema):
            typed = {}
        if "const" in schema:
            typed = intersect({"enum": [schema["const"]]}, typed, pointer)
        if "enum" in schema:
            typed = intersect({"enum": list(schema["enum"])}, typed, pointer)
        return typed

    def _typed(self, name: str, schema: Schema, pointer: str, open_refs: tuple[str, ...]) -> Schema:
        node: Schema = {"type": name}
        for least, most in _RANGES:
            if {least, most} <= {*KEYWORDS[name]} & schema.keys() and schema[least] > schema[most]:
                raise SchemaError(
                    f"at {pointer or '/'}: {least} is {schema[least]} and {most} is {schema[most]}: no value fits; "
                    "correct one of them"
                )
        for keyword in KEYWORDS[name]:
            if keyword not in schema:
                continue
            value, where = schema[keyword], child(pointer, keyword)
            if keyword in ("properties", "patternProperties"):
                node[keyword] = {key: self.node(part, child(where, key), open_refs) for key, part in value.items()}
            elif keyword == "prefixItems":
                node[keyword] = [self.node(part, child(where, i), open_refs) for i, part in enumerate(value)]
            elif keyword in ("items", "additionalProperties"):
                node[keyword] = self.node(value, where, open_refs)
            else:
                node[keyword] = int(value) if isinstance(value, float) and value.is_integer() else value
        return _prune(node)


def _types(schema: Schema) -> list[str]:
    """The types a schema names, or, where it names none, the one type its keywords speak of."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return [declared]
    if declared is not None:
        return [name for name in declared if not (name == "integer" and "number" in declared)]
    spoken = [name for name in KEYWORDS if name != "integer" and any(keyword in schema for keyword in KEYWORDS[name])]
    return spoken[:1] if "enum" not in schema and "const" not in schema else []


def _prune(node: Schema) -> Schema:
    """Drop optional properties that no value can have; a required one makes the whole object impossible."""
    properties = node.get("properties", {})
    if any(name in node.get("required", ()) and is_never(part) for name, part in properties.items()):
        return dict(NEVER)
    if properties:
        node["properties"] = {name: part for name, part in properties.items() if not is_never(part)}
    return node


def _size(node: Schema) -> int:
    branches = node.get("anyOf", ())
    return 1 + len(node.get("properties", ())) + sum(map(_size, branches))
