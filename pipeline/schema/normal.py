"""A JSON Schema 2020-12 in, its normal form out: the small shape from which the decoder form and the columns are made.

In the normal form there is no `$ref`, `allOf`, `oneOf`, `const` or list of types. A node is one of
    {}                          any value
    {"enum": [...]}             one of these values; an empty list: no value at all
    {"anyOf": [node, ...]}      a value of any branch
    {"type": one name, ...}     with the keywords of that type that the grammar knows
each with its annotations (title, description, x-...). Keywords that only the validator can check are left out, so the
normal form accepts every answer that the schema accepts, and sometimes more; the notes say where. Two exceptions:
recursion is written out to N_LEVELS levels (the outermost node is marked `x-recursive`), and a schema that names no
type is of the type its keywords speak of. It knows nothing of tokens or Arrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SchemaError
from pipeline.schema.finding import Notes
from pipeline.schema.intersect import (
    NEVER,
    ORIGIN,
    RECURSIVE,
    WHY,
    Schema,
    TooManyBranches,
    describing,
    intersect,
    is_never,
    never,
    union,
)
from pipeline.schema.keywords import KEYWORDS, NAMED, check_ranges, declared_types, name_pattern, types_of
from pipeline.schema.pointer import child
from pipeline.schema.references import KEYWORDS as REFERENCES
from pipeline.schema.references import Place, References
from pipeline.schema.settle import n_nodes, settle

MAX_NODES = 1_000
"""Most nodes of a normal form. What is deeper than fits is any value; the validator still checks it."""
MAX_DEPTH = 60
"""Deepest nesting of objects and lists."""
N_LEVELS = 3
"""Levels to which recursion is written out, when that fits MAX_NODES."""
_ATTEMPTS = (
    *((levels, MAX_DEPTH) for levels in range(N_LEVELS, 0, -1)),
    *((1, depth) for depth in (12, 8, 6, 5, 4, 3, 2, 1)),
)
"""Levels of recursion and depth that are tried, until the normal form is small enough."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal form, with what it could not say.

    Attributes:
        node: The normal form.
        notes: What is left to the validator, and more.
        reached: Pointers of the schemas that it was made from.
    """

    node: Schema
    notes: Notes
    reached: frozenset[str]


def build_normal(references: References) -> Normal:
    """Make the normal form of a whole schema, the richest that has at most MAX_NODES nodes.

    Raises:
        SchemaError: a reference is remote or broken, a range is empty, or no value at all fits.
    """
    is_recursive = True
    for levels, depth in _ATTEMPTS:
        if depth == MAX_DEPTH and not is_recursive:
            continue
        normaliser = _Normaliser(references, levels, depth)
        try:
            whole = normaliser.whole()
        except _TooLargeError:
            is_recursive = normaliser.is_recursive
            continue
        node = settle(whole, normaliser.notes)
        if is_never(node):
            raise SchemaError(f"no answer can satisfy it: {node.get(WHY, 'its constraints contradict each other')}")
        if n_nodes(node) <= MAX_NODES:
            return Normal(node, normaliser.notes, frozenset(normaliser.reached))
        if len(node.get("properties", ())) + len(node.get("anyOf", ())) > MAX_NODES:
            break
    raise SchemaError(f"it has more than {MAX_NODES:,} parts at its top level; split the task into smaller ones")


def normalise(schema: Schema) -> Schema:
    """Give the normal form of a schema in 2020-12, without its notes; raises as `build_normal` does."""
    return build_normal(References(schema)).node


class _TooLargeError(Exception):
    """The normal form has more than MAX_NODES nodes; the next attempt makes a smaller one."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a node was reached.

    Attributes:
        depth: Objects and lists around it.
        opened: The schemas referred to that are being followed, by identity, each with the depth it stands at.
        types: Types that the schemas about the same value allow; None when they say nothing.
    """

    depth: int = 0
    opened: tuple[tuple[int, int], ...] = ()
    types: tuple[str, ...] | None = None

    def beside(self, types: tuple[str, ...] | None) -> _Way:
        return _Way(self.depth, self.opened, types)

    def into(self, schema: object) -> _Way:
        return _Way(self.depth, (*self.opened, (id(schema), self.depth)), self.types)

    def below(self) -> _Way:
        return _Way(self.depth + 1, self.opened)


class _Normaliser:
    def __init__(self, references: References, n_levels: int, max_depth: int) -> None:
        self._references = references
        self._n_levels = n_levels
        self._max_depth = max_depth
        self._n_nodes = 0
        self._recursive: set[int] = set()
        self.notes = Notes()
        self.reached: set[str] = set()

    @property
    def is_recursive(self) -> bool:
        """Whether recursion was met so far."""
        return bool(self._recursive)

    def whole(self) -> Schema:
        """Normalise the schema that the references belong to."""
        root = self._references.root
        return self._node(root, _Way().into(root.schema))

    def _node(self, place: Place, way: _Way) -> Schema:
        self._count(1)
        schema = place.schema
        if isinstance(schema, bool):
            return {} if schema else never(f"at {place.pointer or '/'}: the schema is false")
        if way.depth > self._max_depth:
            self.notes.loose[place.pointer] = "the schema is too large or too deep: any value here, checked afterwards"
            return describing(schema)
        self.reached.add(place.pointer)
        return {**self._joined(place, way), **describing(schema)}

    def _count(self, n: int) -> None:
        self._n_nodes += n
        if self._n_nodes > 2 * MAX_NODES:  # joining can make fewer of them
            raise _TooLargeError

    def _joined(self, place: Place, way: _Way) -> Schema:
        """Join a schema's own keywords, the schemas that must hold too, and the unions."""
        declared = declared_types(place.schema) or way.types
        combined: Schema = {}
        for part in self._required_too(place, way.beside(declared)):
            combined = self._both(combined, part, place, "allOf")
        context = declared or types_of(combined)
        unions = {
            keyword: union([self._node(part, way.beside(context)) for part in self._list(place, keyword)])
            for keyword in ("anyOf", "oneOf")
            if keyword in place.schema
        }
        for branches in unions.values():
            context = context or types_of(branches)
        result = self._both(self._own(place, way.beside(context)), combined, place, "allOf")
        for keyword, branches in unions.items():
            result = self._both(result, branches, place, keyword)
        return self._with_conditional(result, place, way)

    def _required_too(self, place: Place, way: _Way) -> Iterator[Schema]:
        for keyword in REFERENCES:
            if keyword in place.schema:
                yield self._referenced(place, keyword, way)
        for part in self._list(place, "allOf"):
            yield self._node(part, way)

    def _list(self, place: Place, keyword: str) -> list[Place]:
        return [self._references.child(place, keyword, i) for i in range(len(place.schema.get(keyword, ())))]

    def _both(self, a: Schema, b: Schema, place: Place, keyword: str) -> Schema:
        try:
            result = intersect(a, b, self.notes)
        except TooManyBranches:
            reason = "it multiplies the alternatives beyond what a grammar can hold; checked afterwards"
            self.notes.leave((place.pointer,), keyword, reason)
            self.notes.loose[child(place.pointer, keyword)] = reason
            return a
        self._count(len(result.get("anyOf", ())))
        return result

    def _referenced(self, place: Place, keyword: str, way: _Way) -> Schema:
        """Follow a reference; below N_LEVELS of the same one nothing is allowed, so an optional part ends there."""
        target, ref = self._references.target(place, keyword), place.schema[keyword]
        key, where = id(target.schema), child(place.pointer, keyword)
        depths = [depth for opened, depth in way.opened if opened == key and isinstance(target.schema, dict)]
        if len(depths) >= self._n_levels:
            self._recursive.add(key)
            levels = "1 level" if self._n_levels == 1 else f"{self._n_levels} levels"
            reason = f"recursive, and written out to {levels}: deeper answers cannot be given"
            self.notes.tell(place.pointer, keyword, reason)
            return {**never(f"at {where}: {ref!r} refers to itself without an end"), RECURSIVE: True}
        result = self._node(target, way.into(target.schema))
        is_outermost = way.depth > 0 and not any(depths)
        return {**result, RECURSIVE: True} if is_outermost and key in self._recursive else result

    def _own(self, place: Place, way: _Way) -> Schema:
        """Normalise the keywords beside references, `allOf`, `anyOf` and `oneOf`."""
        schema = place.schema
        if schema.get("enum") == []:
            return never(f"at {child(place.pointer, 'enum')}: the list is empty")
        typed = union([self._typed(name, place, way) for name in self._types(place, way)] or [{}])
        for values in ([schema["const"]] if "const" in schema else [], schema.get("enum", [])):
            if values:
                typed = intersect({"enum": [*values], ORIGIN: (place.pointer,)}, typed, self.notes)
        return typed

    def _types(self, place: Place, way: _Way) -> tuple[str, ...]:
        """The types of which the schema's own keywords are to be read; none when it says nothing of any."""
        schema = place.schema
        declared = declared_types(schema)
        spoken = [
            name for name in KEYWORDS if name != "integer" and any(keyword in schema for keyword in KEYWORDS[name])
        ]
        if declared or not spoken:
            return declared or ()
        if way.types or "enum" in schema or "const" in schema:
            return way.types or ("object", "array", "string", "number", "boolean", "null")
        reason = f"no type is declared; read as {spoken[0]}, of which its keywords speak"
        self.notes.tell(place.pointer, "type", reason)
        return (spoken[0],)

    def _typed(self, name: str, place: Place, way: _Way) -> Schema:
        check_ranges(name, place)
        node: Schema = {"type": name, ORIGIN: (place.pointer,)}
        for keyword in KEYWORDS[name]:
            if keyword in place.schema and not (keyword in NAMED and not place.schema[keyword]):
                node[keyword] = self._value(keyword, place, way.below())
        return self._named(node, place) if name == "object" else node

    def _value(self, keyword: str, place: Place, way: _Way) -> Any:  # noqa: ANN401 - any JSON
        value = place.schema[keyword]
        if keyword in NAMED:
            return {name: self._node(self._references.child(place, keyword, name), way) for name in value}
        if keyword == "prefixItems":
            return [self._node(part, way) for part in self._list(place, keyword)]
        if keyword in ("items", "additionalProperties"):
            return self._node(self._references.child(place, keyword), way)
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def _named(self, node: Schema, place: Place) -> Schema:
        """Let properties satisfy the patterns that their names match, and keys of a map what `propertyNames` says."""
        patterns = node.get("patternProperties", {})
        for name in node.get("properties", {}) if patterns else ():
            for pattern, part in patterns.items():
                if re.search(pattern, name):
                    node["properties"][name] = intersect(node["properties"][name], part, self.notes)
        pattern = name_pattern(place.schema.get("propertyNames"))
        if pattern is None or "properties" in node or patterns:
            return node
        self.notes.held.add((place.pointer, "propertyNames"))
        return {
            **node,
            "patternProperties": {pattern: node.get("additionalProperties", {})},
            "additionalProperties": dict(NEVER),
        }

    def _with_conditional(self, result: Schema, place: Place, way: _Way) -> Schema:
        """Declare the properties that only `then`, `else` or `dependentSchemas` name, so that they can be written."""
        places = [self._references.child(place, keyword) for keyword in ("then", "else") if keyword in place.schema]
        for name in place.schema.get("dependentSchemas", ()):
            places.append(self._references.child(place, "dependentSchemas", name))
        if not places or result.get("type") != "object" or is_never(result.get("additionalProperties", {})):
            return result
        kept, self.notes, reached = self.notes, Notes(), set(self.reached)
        parts = [self._node(part, way.beside(("object",))) for part in places]
        self.notes, self.reached = kept, reached
        properties = dict(result.get("properties", {}))
        for part in parts:
            for name in part.get("properties", {}):
                if name not in result.get("properties", {}):
                    properties[name] = union(
                        [node["properties"][name] for node in parts if name in node.get("properties", {})]
                    )
        return {**result, "properties": properties} if properties else result
