"""Which schemas of a file an answer can meet, by following every keyword and reference from the top.

This proves that each reference leads somewhere, and that none leads back to itself for the same value: checking an
answer would never end. Definitions that nothing refers to are not met.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError as InvalidSchema

from pipeline.errors import SchemaError
from pipeline.schema.intersect import Schema
from pipeline.schema.references import (
    BELOW,
    BELOW_LISTS,
    BELOW_NAMED,
    IN_PLACE,
    IN_PLACE_LISTS,
    IN_PLACE_NAMED,
    KEYWORDS,
    Place,
    References,
)


@dataclass(frozen=True, slots=True)
class Met:
    """A schema that an answer can meet.

    Attributes:
        schema: The schema, an object.
        same: Pointers of the schemas it applies to the same value.
        parts: Pointers of the schemas it applies to parts of the value.
    """

    schema: Schema
    same: tuple[str, ...]
    parts: tuple[str, ...]


def reach(references: References) -> dict[str, Met]:
    """Give every schema that is met, by pointer, the top first.

    Raises:
        SchemaError: a reference leads out of the file or nowhere, or back to itself for the same value.
    """
    met: dict[str, Met] = {}
    known = _known_schemas(references.root.schema)
    waiting = [references.root]
    while waiting:
        place = waiting.pop()
        if place.pointer in met or not isinstance(place.schema, dict):
            continue
        if id(place.schema) not in known:
            _check_schema(place)
            known |= _known_schemas(place.schema)
        same, parts = _same(place, references), _parts(place, references)
        met[place.pointer] = Met(
            place.schema, tuple(p.pointer for p in same), tuple(p.pointer for p in parts if p.schema is not True)
        )
        waiting += [*reversed(parts), *reversed(same)]
    _refuse_circles(met)
    return met


def _check_schema(place: Place) -> None:
    """Refuse what a reference leads to where no keyword makes it a schema, and where it is none."""
    try:
        Draft202012Validator.check_schema(place.schema)
    except InvalidSchema as exc:
        reason = f"a reference leads here, and it is no valid schema: {exc.message[:200]}"
        raise SchemaError(f"at {place.pointer}: {reason}") from exc


def _known_schemas(schema: Schema) -> set[int]:
    """The schemas (by identity) that stand where a keyword makes them one: the metaschema has looked at those."""
    found: set[int] = set()
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict) or id(part) in found:
            continue
        found.add(id(part))
        waiting += [part[keyword] for keyword in (*IN_PLACE, *BELOW) if keyword in part]
        waiting += [each for keyword in (*IN_PLACE_LISTS, *BELOW_LISTS) for each in part.get(keyword, ())]
        named = (*IN_PLACE_NAMED, *BELOW_NAMED, "$defs", "definitions")
        waiting += [each for keyword in named for each in part.get(keyword, {}).values()]
    return found


def _same(place: Place, references: References) -> list[Place]:
    found = [references.target(place, keyword) for keyword in KEYWORDS if keyword in place.schema]
    found += [references.child(place, keyword) for keyword in IN_PLACE if keyword in place.schema]
    found += _listed(place, references, IN_PLACE_LISTS)
    return found + _named(place, references, IN_PLACE_NAMED)


def _parts(place: Place, references: References) -> list[Place]:
    found = _named(place, references, BELOW_NAMED)
    found += [references.child(place, keyword) for keyword in BELOW if keyword in place.schema]
    return found + _listed(place, references, BELOW_LISTS)


def _listed(place: Place, references: References, keywords: tuple[str, ...]) -> list[Place]:
    return [
        references.child(place, keyword, i) for keyword in keywords for i in range(len(place.schema.get(keyword, ())))
    ]


def _named(place: Place, references: References, keywords: tuple[str, ...]) -> list[Place]:
    return [references.child(place, keyword, name) for keyword in keywords for name in place.schema.get(keyword, ())]


def _refuse_circles(met: dict[str, Met]) -> None:
    """Walk the references and combinations about one value; none may lead back to where it came from."""
    done: set[str] = set()
    for start, first in met.items():
        path: dict[str, None] = {}
        stack = [(start, iter(first.same))] if start not in done else []
        while stack:
            pointer, rest = stack[-1]
            path[pointer] = None
            following = next((p for p in rest if p in met and p not in done), None)
            if following is None:
                stack.pop()
                path.pop(pointer)
                done.add(pointer)
            elif following in path:
                raise SchemaError(
                    f"at {pointer or '/'}: it refers to itself for the same value, so checking an answer would never "
                    "end; correct the reference"
                )
            else:
                stack.append((following, iter(met[following].same)))
