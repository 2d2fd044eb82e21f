"""The columns of a contract, without Arrow: what type each property's values have in the table.

| schema | column |
|---|---|
| string, also with a format or pattern that is not below | string |
| string, format date / date-time / time | date32 / timestamp[us, UTC] / time64[us] |
| string with an enum of two or more | dictionary<int32, string> |
| integer | int64 |
| number | float64 |
| number, multipleOf 0.1, 0.01, ... | decimal128(38, 1), decimal128(38, 2), ... |
| boolean | bool |
| array | list |
| object with properties | struct of them |
| object without, with one schema for all its values | map<string, ...> |
| union of a type and null | the type |
| union of types that join (below) | the joined type |
| anything else: any value, unlike types, tuples, recursion, what is nested deeper than MAX_LEVELS | string of JSON |
| object with a property whose name is empty, which DuckDB's structs cannot have | string of JSON |

| joins | to |
|---|---|
| strings of several formats or enums | string |
| integer, decimals of several scales | decimal of the largest scale |
| integer or decimal, number | float64 |
| lists, maps | list, map of the joined items |
| objects with the same properties | struct of the joined properties; one that does not join holds JSON |

A schema whose top level is a union of objects has the properties of all of them as columns.

Every column can hold null: a document whose chunks do not give a value has none, whatever the schema requires of an
answer. Values that a column cannot hold exactly (a property that no column is for, an integer beyond 64 bits) are kept
beside it: see `values.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from pipeline.schema.intersect import Schema, is_never

DECIMAL_DIGITS = 38
"""Digits of a decimal128."""
MAX_LEVELS = 16
"""Most lists, maps and structs inside each other; DuckDB's reader takes twice as long for each further list."""


class Kind(StrEnum):
    """The kind of a column. LIST has one child, the item; MAP one, the value; STRUCT its fields."""

    STRING = "string"
    DATE = "date32"
    TIMESTAMP = "timestamp[us, UTC]"
    TIME = "time64[us]"
    ENUM = "dictionary<int32, string>"
    INTEGER = "int64"
    FLOAT = "float64"
    DECIMAL = "decimal128"
    BOOLEAN = "bool"
    LIST = "list"
    STRUCT = "struct"
    MAP = "map"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or a part of one.

    Attributes:
        name: The property's name; "item" in a list, "value" in a map.
        kind: What its values are.
        description: From the schema; empty when it has none.
        scale: Decimals of a DECIMAL; 0 otherwise.
        children: Item of a LIST, value of a MAP, fields of a STRUCT in the schema's order; else empty.
        merge: `x-merge`: how the values of several chunks become one; empty: the kind's default. See `policies`.
        key: `x-key`: the properties that say which items of a LIST are the same; empty: only equal items are.
    """

    name: str
    kind: Kind
    description: str = ""
    scale: int = 0
    children: tuple[Column, ...] = ()
    merge: str = ""
    key: tuple[str, ...] = ()

    @property
    def type_text(self) -> str:
        """The type in words: "list<string>", "struct<name: string, born: date32>"."""
        match self.kind:
            case Kind.DECIMAL:
                return f"decimal128({DECIMAL_DIGITS}, {self.scale})"
            case Kind.LIST:
                return f"list<{self.children[0].type_text}>"
            case Kind.MAP:
                return f"map<string, {self.children[0].type_text}>"
            case Kind.STRUCT:
                return f"struct<{', '.join(f'{field.name}: {field.type_text}' for field in self.children)}>"
            case Kind.JSON:
                return "string (JSON)"
            case kind:
                return kind.value


def has_columns(normal: Schema) -> bool:
    """True when each property of an answer is a column: an object with properties, or a union of such objects."""
    branches = normal.get("anyOf", [normal])
    return all(branch.get("type") == "object" and branch.get("properties") for branch in branches)


def build_columns(normal: Schema) -> tuple[Column, ...]:
    """Give a column for each property of the top level of a normal form, in the schema's order.

    Args:
        normal: One of which `has_columns` is true. Of a union, the properties of all branches in the order in which
            they first come.
    """
    found: dict[str, Column] = {}
    for branch in normal.get("anyOf", [normal]):
        for column in _fields(branch, MAX_LEVELS):
            known = found.get(column.name)
            found[column.name] = column if known is None else _join_or_json(known, column)
    return tuple(found.values())


def clashing_names(columns: tuple[Column, ...]) -> list[tuple[str, ...]]:
    """Give the names, two or more at a time, that warehouses which ignore case cannot tell apart; top level only."""
    by_name: dict[str, list[str]] = {}
    for column in columns:
        by_name.setdefault(column.name.casefold(), []).append(column.name)
    return [tuple(names) for names in by_name.values() if len(names) > 1]


def describe_columns(columns: tuple[Column, ...]) -> list[tuple[str, str]]:
    """Give (name, type in words) of each column."""
    return [(column.name, column.type_text) for column in columns]


def _fields(node: Schema, levels: int) -> tuple[Column, ...]:
    return tuple(_column(name, part, levels) for name, part in node["properties"].items())


def _column(name: str, node: Schema, levels: int) -> Column:
    """Give the column of a node that may hold `levels` lists, maps and structs inside each other."""
    column = _typed(name, node, levels)
    return replace(
        column,
        description=str(node.get("description", "")) or column.description,
        merge=str(node.get("x-merge", "")) or column.merge,
        key=tuple(node.get("x-key", ())) or column.key,
    )


def _typed(name: str, node: Schema, levels: int) -> Column:
    if "anyOf" in node and not _is_recursive(node):
        return _union(name, node["anyOf"], levels)
    if "enum" in node:
        return _enum(name, node["enum"])
    match node.get("type") if not _is_recursive(node) else None:
        case "string":
            return Column(name, _STRING_FORMATS.get(node.get("format", ""), Kind.STRING))
        case "number" if scale := decimal_scale(node.get("multipleOf")):
            return Column(name, Kind.DECIMAL, scale=scale)
        case "integer" | "number" | "boolean" as simple:
            return Column(name, _SIMPLE[simple])
        case "array" if levels and "prefixItems" not in node:
            return Column(name, Kind.LIST, children=(_column("item", node.get("items", {}), levels - 1),))
        case "object" if levels:
            return _object(name, node, levels - 1)
        case _:
            return Column(name, Kind.JSON)


def _is_recursive(node: Schema) -> bool:
    return node.get("x-recursive") is True


_SIMPLE = {"integer": Kind.INTEGER, "number": Kind.FLOAT, "boolean": Kind.BOOLEAN}
_STRING_FORMATS = {"date": Kind.DATE, "date-time": Kind.TIMESTAMP, "time": Kind.TIME}


def decimal_scale(step: float | None) -> int:
    """Give s when the step is 10 to the power of -s for an s from 1 to 18; 0 for anything else."""
    for scale in range(1, 19) if step is not None else ():
        if Decimal(repr(step)) == Decimal(1).scaleb(-scale):
            return scale
    return 0


def _enum(name: str, values: list[object]) -> Column:
    present = [value for value in values if value is not None]
    types = {type(value) for value in present}
    if types == {str}:
        return Column(name, Kind.ENUM if len(present) > 1 else Kind.STRING)
    for kind, allowed in ((Kind.BOOLEAN, {bool}), (Kind.INTEGER, {int}), (Kind.FLOAT, {int, float})):
        if types and types <= allowed:
            return Column(name, kind)
    return Column(name, Kind.JSON)


def _object(name: str, node: Schema, levels: int) -> Column:
    if "" in node.get("properties", {}):
        return Column(name, Kind.JSON)
    if node.get("properties"):
        return Column(name, Kind.STRUCT, children=_fields(node, levels))
    values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties", {})]
    values = [value for value in values if not is_never(value)]
    described = [value for value in values if value]
    return (
        Column(name, Kind.MAP, children=(_column("value", described[0], levels),))
        if len(described) == 1
        else Column(name, Kind.JSON)
    )


def _union(name: str, branches: list[Schema], levels: int) -> Column:
    """Give the one column that all branches join to, null aside; JSON when they do not."""
    found: Column | None = None
    for branch in branches:
        if branch.get("type") == "null" or branch.get("enum") == [None]:
            continue
        column = _column(name, branch, levels)
        found = column if found is None else _join(found, column)
        if found is None:
            break
    return found or Column(name, Kind.JSON)


_STRINGS = frozenset({Kind.STRING, Kind.ENUM, Kind.DATE, Kind.TIMESTAMP, Kind.TIME})
_EXACT_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
_NUMBERS = _EXACT_NUMBERS | {Kind.FLOAT}


def _join(a: Column, b: Column) -> Column | None:
    """Give the column that holds the values of both, with the words of the first; None when only JSON does."""
    noted = replace(a, description=a.description or b.description, merge=a.merge or b.merge, key=a.key or b.key)
    kinds = {a.kind, b.kind}
    if kinds <= _EXACT_NUMBERS and Kind.DECIMAL in kinds:
        return replace(noted, kind=Kind.DECIMAL, scale=max(a.scale, b.scale))
    if kinds <= _NUMBERS and Kind.FLOAT in kinds:
        return replace(noted, kind=Kind.FLOAT, scale=0)
    if kinds <= _STRINGS and len(kinds) > 1:
        return replace(noted, kind=Kind.STRING)
    if a.kind is not b.kind or a.kind is Kind.JSON:
        return None
    if a.kind in (Kind.LIST, Kind.MAP):
        return replace(noted, children=(_join_or_json(a.children[0], b.children[0]),))
    if a.kind is Kind.STRUCT:
        return _join_structs(noted, b)
    return noted


def _join_structs(a: Column, b: Column) -> Column | None:
    """Join the fields of two structs, which must have the same."""
    others = {field.name: field for field in b.children}
    if others.keys() != {field.name for field in a.children}:
        return None
    return replace(a, children=tuple(_join_or_json(field, others[field.name]) for field in a.children))


def _join_or_json(a: Column, b: Column) -> Column:
    return _join(a, b) or Column(
        a.name, Kind.JSON, a.description or b.description, merge=a.merge or b.merge, key=a.key or b.key
    )
