"""Schemas of JSON Schema draft 4, 6, 7 and 2019-09 in, the same in 2020-12 out: whatever follows knows one dialect.

`$schema` says the draft; without one a schema is 2020-12. Old keywords whose meaning is clear are rewritten wherever
they stand (`dependencies`, a list of `items`, `exclusiveMinimum: true`, `$recursiveRef`). In drafts up to 7 what stands
beside a `$ref` has no effect; it is dropped, but descriptions and our own `x-` keywords are kept.
See https://json-schema.org/specification-links for the drafts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeGuard
from urllib.parse import quote, unquote

from jsonschema import Draft4Validator, Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.protocols import Validator

from pipeline.errors import SchemaError
from pipeline.schema.finding import Finding, Level
from pipeline.schema.intersect import Schema
from pipeline.schema.pointer import child

DRAFTS: dict[str, tuple[int, type[Validator]]] = {
    "http://json-schema.org/draft-04/schema": (4, Draft4Validator),
    "http://json-schema.org/draft-06/schema": (6, Draft6Validator),
    "http://json-schema.org/draft-07/schema": (7, Draft7Validator),
    "https://json-schema.org/draft/2019-09/schema": (2019, Draft201909Validator),
    "https://json-schema.org/draft/2020-12/schema": (2020, Draft202012Validator),
}
"""By `$schema` without its trailing '#': the draft, and the class that knows which schemas are valid in it."""

_UNREAD = frozenset({"enum", "const", "default", "examples"})
"""Keywords whose values are instances: nothing in them is a schema."""
_BESIDE_REF = frozenset({"$ref", "definitions", "$defs", "title", "description", "default", "examples", "$comment"})


@dataclass(slots=True)
class Upgraded:
    """A schema in 2020-12.

    Attributes:
        schema: The schema; none of it is shared with what it was made from, except values that are no schemas.
        moved: Where a schema stands now, and where it stood, as JSON pointers; only those that have moved.
        findings: What the rewriting has to say.
    """

    schema: Schema
    moved: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def original(self, pointer: str) -> str:
        """Where in the user's file the schema stands that is now at `pointer`."""
        for moved in sorted(self.moved, key=len, reverse=True):
            if pointer == moved or pointer.startswith(moved + "/"):
                return self.moved[moved] + pointer[len(moved) :]
        return pointer


def draft_of(schema: Schema) -> tuple[int, type[Validator]]:
    """The draft that `$schema` names, and the class for it; 2020-12 when it names none, or one that is unknown.

    Raises:
        SchemaError: it names a draft older than 4.
    """
    named = schema.get("$schema")
    name = named.rstrip("#") if isinstance(named, str) else ""
    if name.startswith("http://json-schema.org/draft-0") and name not in DRAFTS:
        raise SchemaError(f"at /$schema: found {named!r}; drafts 4, 6, 7, 2019-09 and 2020-12 are known. Convert it")
    return DRAFTS.get(name, (2020, Draft202012Validator))


def upgrade(schema: Schema) -> Upgraded:
    """Rewrite a schema to 2020-12.

    Args:
        schema: A schema as parsed; need not be valid. What is not understood is kept as it is.
    """
    draft, _ = draft_of(schema)
    done = Upgraded({})
    named = schema.get("$schema")
    if isinstance(named, str) and named.rstrip("#") not in DRAFTS:
        reason = f"{named!r} is no draft that is known here; read as 2020-12"
        done.findings.append(Finding("", "$schema", Level.NOTE, reason))
    upgrader = _Upgrader(draft, done)
    done.schema = upgrader.schema(schema, _Spot("", "", "", "", _is_true(schema.get("$recursiveAnchor"))))
    upgrader.lead_references()
    return done


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a schema stood and stands; where its resource (the nearest `$id` above) does; whether that one recurses."""

    old: str
    new: str
    resource_old: str
    resource_new: str
    is_recursive: bool

    def down(self, old: str, new: str) -> _Spot:
        return _Spot(self.old + old, self.new + new, self.resource_old, self.resource_new, self.is_recursive)


class _Upgrader:
    def __init__(self, draft: int, done: Upgraded) -> None:
        self._draft = draft
        self._done = done
        self._references: list[tuple[Schema, _Spot]] = []

    def schema(self, schema: Any, spot: _Spot) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(schema, dict):
            return schema
        if isinstance(schema.get("$id", schema.get("id") if self._draft == 4 else None), str):
            recursive = _is_true(schema.get("$recursiveAnchor"))
            spot = _Spot(spot.old, spot.new, spot.old, spot.new, recursive)
        kept = self._beside_reference(schema, spot)
        result: Schema = {}
        for keyword, value in kept.items():
            for name, part in self._keyword(keyword, value, kept, spot).items():
                both = isinstance(result.get(name), dict) and name in ("dependentRequired", "dependentSchemas")
                result[name] = {**result[name], **part} if both else part
        if isinstance(result.get("$ref"), str):
            self._references.append((result, spot))
        return result

    def lead_references(self) -> None:
        """Let references by pointer lead to where their schemas have moved."""
        places = {old: new for new, old in self._done.moved.items()}
        for node, spot in self._references if places else ():
            if not node["$ref"].startswith("#/"):
                continue
            target = spot.resource_old + unquote(node["$ref"][1:])
            prefixes = [old for old in places if target == old or target.startswith(old + "/")]
            if prefixes:
                old = max(prefixes, key=len)
                moved = places[old] + target[len(old) :]
                node["$ref"] = "#" + quote(moved[len(spot.resource_new) :], safe="/~!$&'()*+,;=:@")

    def _beside_reference(self, schema: Schema, spot: _Spot) -> Schema:
        """Drop what an old draft ignores beside a `$ref`."""
        if self._draft > 7 or not isinstance(schema.get("$ref"), str):
            return schema
        ignored = [key for key in schema if key not in _BESIDE_REF and not key.startswith("x-") and key != "$schema"]
        for key in ignored:
            reason = f"beside a $ref, draft {self._draft} ignores it; put both into an allOf, or declare draft 2020-12"
            self._done.findings.append(Finding(spot.old, key, Level.REFUSED, reason))
        return {key: value for key, value in schema.items() if key not in ignored}

    def _keyword(self, keyword: str, value: Any, schema: Schema, spot: _Spot) -> Schema:  # noqa: ANN401 - any JSON
        """Give what stands in 2020-12 for one keyword: other keywords, or none."""
        if keyword == "$schema":
            return {}
        if keyword in ("items", "additionalItems"):
            return self._items(keyword, value, schema, spot)
        if keyword in _EDGES:
            return _edge(keyword, value, schema)
        if keyword == "dependencies" and isinstance(value, dict):
            self._tell_old(spot, keyword, "dependentRequired or dependentSchemas")
            return self._dependencies(value, spot)
        if keyword == "$recursiveAnchor" and isinstance(value, bool):
            return {"$dynamicAnchor": "recursiveAnchor"} if value else {}
        if keyword == "$recursiveRef" and value == "#":
            return {"$dynamicRef": "#recursiveAnchor"} if spot.is_recursive else {"$ref": "#"}
        if isinstance(value, str) and self._is_old_identifier(keyword):
            return _identifier(value)
        return {keyword: value if keyword in _UNREAD else self._below(value, keyword, spot)}

    def _is_old_identifier(self, keyword: str) -> bool:
        return (keyword == "id" and self._draft == 4) or (keyword == "$id" and self._draft <= 7)

    def _items(self, keyword: str, value: Any, schema: Schema, spot: _Spot) -> Schema:  # noqa: ANN401 - any JSON
        """A list of `items` is a tuple, and `additionalItems` what follows it."""
        if keyword == "additionalItems":
            is_read = isinstance(schema.get("items"), list)
            return {"items": self._moved(value, spot, "/additionalItems", "/items")} if is_read else {}
        if not isinstance(value, list):
            return {keyword: self._below(value, keyword, spot)}
        self._tell_old(spot, keyword, "prefixItems")
        parts = [self._moved(part, spot, f"/items/{i}", f"/prefixItems/{i}") for i, part in enumerate(value)]
        return {"prefixItems": parts} if parts else {}

    def _below(self, value: Any, keyword: str, spot: _Spot) -> Any:  # noqa: ANN401 - any JSON
        """Go on into what may hold schemas; also under unknown keywords, since a reference may lead there."""
        where = child("", keyword)
        if keyword in _NAMED and isinstance(value, dict):
            return self._named(value, keyword, spot)
        if isinstance(value, dict):
            return self.schema(value, spot.down(where, where))
        if isinstance(value, list):
            return [self.schema(part, spot.down(f"{where}/{i}", f"{where}/{i}")) for i, part in enumerate(value)]
        return value

    def _named(self, value: Schema, keyword: str, spot: _Spot) -> Schema:
        places = {name: child("", keyword, name) for name in value}
        return {name: self.schema(part, spot.down(places[name], places[name])) for name, part in value.items()}

    def _moved(self, schema: Any, spot: _Spot, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
        below = spot.down(old, new)
        self._done.moved[below.new] = below.old
        return self.schema(schema, below)

    def _dependencies(self, value: Schema, spot: _Spot) -> Schema:
        required = {name: part for name, part in value.items() if isinstance(part, list)}
        schemas = {
            name: self._moved(part, spot, child("", "dependencies", name), child("", "dependentSchemas", name))
            for name, part in value.items()
            if name not in required
        }
        found = {"dependentRequired": required, "dependentSchemas": schemas}
        return {keyword: names for keyword, names in found.items() if names}

    def _tell_old(self, spot: _Spot, keyword: str, modern: str) -> None:
        if self._draft == 2020:
            reason = f"no longer in draft 2020-12; read as in draft 7. Write {modern}"
            self._done.findings.append(Finding(spot.old, keyword, Level.NOTE, reason))


_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value is an object of schemas by name."""


_EDGES = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _edge(keyword: str, value: Any, schema: Schema) -> Schema:  # noqa: ANN401 - any JSON
    """In draft 4 `exclusiveMinimum` is true or false and says what `minimum` means."""
    if not keyword.startswith("exclusive"):
        return {} if _is_true(schema.get("exclusive" + keyword.capitalize())) else {keyword: value}
    if not isinstance(value, bool):
        return {keyword: value}
    plain = keyword.removeprefix("exclusive").lower()
    return {keyword: schema[plain]} if value and plain in schema else {}


def _is_true(value: object) -> TypeGuard[bool]:
    return value is True


def _identifier(value: str) -> Schema:
    """Split an old `$id`: its fragment was what is now an `$anchor`."""
    base, _, fragment = value.partition("#")
    return {**({"$id": base} if base else {}), **({"$anchor": fragment} if fragment else {})}
