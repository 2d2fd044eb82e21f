"""Where the references of a schema lead, by the `referencing` library: pointers, anchors, `$id`, `$dynamicRef`.

Only the file itself and the metaschemas of JSON Schema are known: nothing is ever fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from pipeline.errors import SchemaError
from pipeline.schema.intersect import Schema
from pipeline.schema.pointer import child

if TYPE_CHECKING:
    from referencing._core import Resolver  # the library gives its type no public name

METASCHEMAS: Registry[Any] = REGISTRY
"""The schemas of JSON Schema itself: all that a reference can lead to outside of its file."""
KEYWORDS = ("$ref", "$dynamicRef")
"""The keywords that refer to another schema."""
IN_PLACE = ("not", "if", "then", "else")
"""Keywords whose schema is about the same value."""
IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
IN_PLACE_NAMED = ("dependentSchemas",)
BELOW = (
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
"""Keywords whose schema is about a part of the value."""
BELOW_LISTS = ("prefixItems",)
BELOW_NAMED = ("properties", "patternProperties")


@dataclass(frozen=True, slots=True)
class Place:
    """A schema and where it stands.

    Attributes:
        pointer: JSON pointer in the file; for one outside of it (a metaschema) its URI.
        schema: An object, true or false.
        resolver: Follows the references of this schema.
    """

    pointer: str
    schema: Any
    resolver: Resolver[Any]


class References:
    """The places of one schema (2020-12, as parsed; it must stay as it is while this lives)."""

    def __init__(self, schema: Schema) -> None:
        resource: Resource[Any] = DRAFT202012.create_resource(schema)
        self.root = Place("", schema, METASCHEMAS.resolver_with_root(resource))
        self._pointers: dict[int, str] = {}
        self._index(schema)

    def child(self, place: Place, *names: str | int) -> Place:
        """The place below another, by keyword and name or index."""
        schema = place.schema
        for name in names:
            schema = schema[name]
        resolver = place.resolver
        if isinstance(schema, dict) and "$id" in schema:
            resolver = resolver.in_subresource(DRAFT202012.create_resource(schema))
        return Place(child(place.pointer, *names), schema, resolver)

    def target(self, place: Place, keyword: str) -> Place:
        """The place that a schema's `$ref` or `$dynamicRef` leads to.

        Raises:
            SchemaError: it leads out of the file, or to nothing that is a schema.
        """
        ref, where = place.schema[keyword], child(place.pointer, keyword)
        try:
            found = place.resolver.lookup(ref)
        except (Unresolvable, ValueError, TypeError) as exc:  # the last two: a pointer into a scalar, a broken URI
            raise SchemaError(f"at {where}: {self._unresolved(place, ref)}") from exc
        if not isinstance(found.contents, dict | bool):
            raise SchemaError(f"at {where}: {ref!r} leads to no schema in this file; correct the reference")
        return Place(self._pointers.get(id(found.contents), ref), found.contents, found.resolver)

    def _unresolved(self, place: Place, ref: str) -> str:
        try:
            place.resolver.lookup(ref.partition("#")[0])
        except (Unresolvable, ValueError):
            return (
                f"found {ref!r}, but only references inside the file such as '#/$defs/name' are followed; "
                "copy the definition into $defs"
            )
        return f"{ref!r} leads to no schema in this file; correct the reference"

    def _index(self, schema: Schema) -> None:
        """Remember the pointer of every JSON object, so that a target's place is known."""
        waiting: list[tuple[Any, str]] = [(schema, "")]
        while waiting:
            value, pointer = waiting.pop()
            if isinstance(value, dict):
                self._pointers[id(value)] = pointer
                waiting += [(part, child(pointer, name)) for name, part in value.items()]
            elif isinstance(value, list):
                waiting += [(part, child(pointer, i)) for i, part in enumerate(value)]
