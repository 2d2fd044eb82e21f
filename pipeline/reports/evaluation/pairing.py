"""What the gold has of a document and its row in, pairs of values to be compared out: one for each annotated field.

An object is annotated property by property; a list of objects with a key (`x-key`) item by item, by that key; a map by
its keys; any other list as a whole. What stands below an absent object, or in an item that the gold does not have,
counts for the properties that the file annotates anywhere; for all of them when there are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.reports.evaluation.comparable import normal_key
from pipeline.reports.evaluation.matching import Pair
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON, write_json


@dataclass(frozen=True, slots=True)
class Annotated:
    """The names of the fields that a gold file annotates one by one."""

    names: frozenset[str]


def find_annotated(documents: Iterable[Mapping[str, JSON]], columns: tuple[Column, ...]) -> Annotated:
    """The fields of which some document has a value, or is said to have none; not those below what is absent."""
    named = {column.name: column for column in columns}
    found: set[str] = set()
    for values in documents:
        for name, value in values.items():
            found.update(_explicit(value, named[name], name))
    return Annotated(frozenset(found))


def field_names(columns: tuple[Column, ...], above: str = "") -> list[str]:
    """The names of all fields that can be annotated one by one, in the order of the columns."""
    found = []
    for column in columns:
        name = above + column.name
        while column.kind is Kind.MAP or _is_keyed(column):
            name, column = name + _brackets(column), column.children[0]  # noqa: PLW2901 - down to what is inside
        found += field_names(column.children, f"{name}.") if column.kind is Kind.STRUCT else [name]
    return found


def iter_pairs(
    gold: Mapping[str, JSON], found: Mapping[str, JSON], columns: tuple[Column, ...], annotated: Annotated
) -> Iterator[Pair]:
    """The pairs of a document, in the order of the columns.

    Args:
        gold: Its annotated values.
        found: Its row; empty for a document that has none.
        columns: Of the task.
        annotated: Of the whole file, from `find_annotated`.
    """
    for column in columns:
        if column.name in gold:
            yield from _walk(_Place(column.name, None, annotated), gold[column.name], found.get(column.name), column)


@dataclass(frozen=True, slots=True)
class _Place:
    field: str
    item: str | None
    annotated: Annotated

    def inside(self, name: str) -> _Place:
        return _Place(f"{self.field}.{name}", self.item, self.annotated)

    def at(self, brackets: str, item: str | None) -> _Place:
        both = item if self.item is None else f"{self.item}, {item}"
        return _Place(self.field + brackets, self.item if item is None else both, self.annotated)


def _walk(place: _Place, gold: JSON, found: JSON, column: Column) -> Iterator[Pair]:
    match column.kind:
        case Kind.STRUCT:
            parts = found if isinstance(found, dict) else {}
            for child in _parts(place, gold, column):
                of_gold = gold[child.name] if isinstance(gold, dict) else None
                yield from _walk(place.inside(child.name), of_gold, parts.get(child.name), child)
        case Kind.LIST if _is_keyed(column):
            yield from _walk_entries(place, _keyed(gold, column), _keyed(found, column), column)
        case Kind.MAP:
            yield from _walk_entries(place, _entries(gold), _entries(found), column)
        case _:
            yield Pair(place.field, place.item, gold, found, column)


def _walk_entries(
    place: _Place, gold: Mapping[str, _Entry], found: Mapping[str, _Entry], column: Column
) -> Iterator[Pair]:
    """Entries with the same key, in the gold's order; then those that only the row has; one pair of none for none."""
    brackets = _brackets(column)
    nothing = _Entry(None, None)
    for key in dict.fromkeys([*gold, *found]):
        ours, theirs = gold.get(key, nothing), found.get(key, nothing)
        shown = ours.shown if key in gold else theirs.shown
        yield from _walk(place.at(brackets, shown), ours.value, theirs.value, column.children[0])
    if not gold and not found:
        yield from _walk(place.at(brackets, None), None, None, column.children[0])


def _parts(place: _Place, gold: JSON, column: Column) -> list[Column]:
    """The properties of an object that are annotated; of an absent one those that the file annotates anywhere."""
    if isinstance(gold, dict):
        return [child for child in column.children if child.name in gold]
    names = place.annotated.names
    below = [child for child in column.children if any(_is_at(name, f"{place.field}.{child.name}") for name in names)]
    return below or list(column.children)


def _is_at(name: str, field: str) -> bool:
    """Whether a name is of this field or of one inside it."""
    return name == field or name.startswith((f"{field}.", f"{field}[]", f"{field}{{}}"))


def _explicit(value: JSON, column: Column, field: str) -> Iterator[str]:
    if column.kind is Kind.STRUCT:
        for child in column.children:
            if isinstance(value, dict) and child.name in value:
                yield from _explicit(value[child.name], child, f"{field}.{child.name}")
    elif column.kind is Kind.MAP or _is_keyed(column):
        entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        for part in entries:
            yield from _explicit(part, column.children[0], field + _brackets(column))
    else:
        yield field


def _is_keyed(column: Column) -> bool:
    return column.kind is Kind.LIST and bool(column.key) and column.children[0].kind is Kind.STRUCT


def _brackets(column: Column) -> str:
    return "{}" if column.kind is Kind.MAP else "[]"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One item of a list or entry of a map, and what a person calls it."""

    value: JSON
    shown: str | None


def _entries(value: JSON) -> dict[str, _Entry]:
    parts = value if isinstance(value, dict) else {}
    return {key: _Entry(part, key) for key, part in parts.items()}


def _keyed(value: JSON, column: Column) -> dict[str, _Entry]:
    """Items by their key as a person would compare it; of several with one key, the first, the second, and so on."""
    children = {child.name: child for child in column.children[0].children}
    entries: dict[str, _Entry] = {}
    seen: Counter[str] = Counter()
    for item in value if isinstance(value, list) else []:
        parts = item if isinstance(item, dict) else {}
        key = "\n".join(normal_key(parts.get(name), children[name]).plain for name in column.key)
        seen[key] += 1
        shown = ", ".join(f"{name} {_shown(parts.get(name))}" for name in column.key)
        entries[f"{seen[key]}\n{key}"] = _Entry(item, shown)
    return entries


def _shown(value: JSON) -> str:
    return value if isinstance(value, str) else write_json(value)
