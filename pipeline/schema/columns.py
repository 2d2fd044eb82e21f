"""The columns of a contract, without Arrow: what type each property's values have in the table.

| schema | column |
|---|---|
| string | string |
| string, format date / date-time / time | date32 / timestamp[us, UTC] / time64[us] |
| string with an enum of two or more | dictionary<int32, string> |
| integer | int64 |
| number | float64 |
| number, multipleOf 0.1, 0.01, ... | decimal128(38, 1), decimal128(38, 2), ... |
| boolean | bool |
| array | list |
| object with properties | struct |
| object with one schema for all its values | map<string, ...> |
| anything else (free-form, unions of unlike types, tuples) | string holding JSON |

Every column can hold null: a document whose chunks do not give a value has none, whatever the schema requires of an
answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from pipeline.schema.intersect import Schema, is_never

DECIMAL_DIGITS = 38
"""Digits of a decimal128."""


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


def build_columns(normal: Schema) -> tuple[Column, ...]:
    """Give a column for each property of the top level of a normal form, in the schema's order."""
    return tuple(_column(name, node) for name, node in normal["properties"].items())


def describe_columns(columns: tuple[Column, ...]) -> list[tuple[str, str]]:
    """Give (name, type in words) of each column."""
    return [(column.name, column.type_text) for column in columns]


def _column(name: str, node: Schema) -> Column:
    column = _typed(name, node)
    return replace(
        column,
        description=str(node.get("description", "")),
        merge=str(node.get("x-merge", "")),
        key=tuple(node.get("x-key", ())),
    )


def _typed(name: str, node: Schema) -> Column:
    if "anyOf" in node:
        return _union(name, node["anyOf"])
    if "enum" in node:
        return _enum(name, node["enum"])
    match node.get("type"):
        case "string":
            return Column(name, _STRING_FORMATS.get(node.get("format", ""), Kind.STRING))
        case "number" if scale := decimal_scale(node.get("multipleOf")):
            return Column(name, Kind.DECIMAL, scale=scale)
        case "integer" | "number" | "boolean" as simple:
            return Column(name, _SIMPLE[simple])
        case "array" if "prefixItems" not in node:
            return Column(name, Kind.LIST, children=(_column("item", node.get("items", {})),))
        case "object":
            return _object(name, node)
        case _:
            return Column(name, Kind.JSON)


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


def _object(name: str, node: Schema) -> Column:
    if node.get("properties"):
        return Column(name, Kind.STRUCT, children=build_columns(node))
    values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties", {})]
    values = [value for value in values if not is_never(value)]
    described = [value for value in values if value]
    return (
        Column(name, Kind.MAP, children=(_column("value", described[0]),))
        if len(described) == 1
        else Column(name, Kind.JSON)
    )


def _union(name: str, branches: list[Schema]) -> Column:
    """Give the one column all branches share, null aside; JSON when they differ."""
    found: list[Column] = []
    for branch in branches:
        if branch.get("type") == "null" or branch.get("enum") == [None]:
            continue
        column = _typed(name, branch)
        if column not in found:
            found.append(column)
    if len(found) == 1:
        return found[0]
    for kind, allowed in _WIDER:
        if found and {column.kind for column in found} <= allowed:
            return Column(name, kind)
    return Column(name, Kind.JSON)


_WIDER = (
    (Kind.STRING, {Kind.ENUM, Kind.STRING}),
    (Kind.FLOAT, {Kind.INTEGER, Kind.FLOAT}),
)
