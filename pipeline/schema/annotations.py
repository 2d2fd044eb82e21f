"""Our own keywords, `x-merge`, `x-key`, `x-count-first` and `x-evidence`: are they used where they mean something?"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import SchemaError
from pipeline.schema.bounded import COUNT_PREFIX, counted_lists
from pipeline.schema.columns import Column, Kind, has_columns
from pipeline.schema.intersect import Schema
from pipeline.schema.pointer import child
from pipeline.schema.policies import ALLOWED, Policy
from pipeline.schema.reach import Met


def check_values(met: dict[str, Met]) -> None:
    """Check that each annotation has a value of its kind.

    Raises:
        SchemaError: one has not.
    """
    for pointer, part in met.items():
        merge, key = (part.schema.get(name) for name in ("x-merge", "x-key"))
        if "x-merge" in part.schema and merge not in [*Policy]:
            known = ", ".join(policy.value for policy in Policy)
            raise SchemaError(f"at {child(pointer, 'x-merge')}: found {merge!r}, expected one of: {known}")
        names = isinstance(key, list) and key and all(isinstance(name, str) for name in key)
        if "x-key" in part.schema and not names:
            raise SchemaError(f"at {child(pointer, 'x-key')}: found {key!r}, expected a list of names of properties")
        for keyword in ("x-count-first", "x-evidence"):
            if keyword in part.schema and not isinstance(part.schema[keyword], bool):
                found = part.schema[keyword]
                raise SchemaError(f"at {child(pointer, keyword)}: found {found!r}, expected true or false")


def check_use(node: Schema, columns: tuple[Column, ...]) -> None:
    """Check that each annotation stands where it has an effect.

    Args:
        node: The normal form of the bare answer.
        columns: The columns of the table.

    Raises:
        SchemaError: a policy does not fit its column, an `x-key` names no property of the items, or `x-count-first`
            stands anywhere but at a list that is a property of the top level.
    """
    for keyword in ("x-merge", "x-key", "x-evidence"):
        if keyword in node and has_columns(node):
            raise SchemaError(f"at /{keyword}: the top level is no column; write it at one of its properties")
    for column in columns:
        _check_column(column, child("", "properties", column.name), is_top=True)
    counted = {child("", "properties", name): name for name in counted_lists(node)}
    for pointer in _count_first(node, ""):
        if pointer not in counted:
            raise SchemaError(f"at {pointer or '/'}: x-count-first is for lists that are properties of the top level")
        if COUNT_PREFIX + counted[pointer] in node["properties"]:
            raise SchemaError(
                f"at {child('', 'properties', COUNT_PREFIX + counted[pointer])}: the model writes the count of "
                f"{counted[pointer]!r} (x-count-first) under this name; rename the property"
            )


def _check_column(column: Column, pointer: str, is_top: bool) -> None:
    if column.merge:
        _check_policy(column, pointer, is_top)
    if column.key:
        _check_key(column, pointer)
    for part in column.children:
        below = {Kind.LIST: ("items",), Kind.MAP: ("additionalProperties",)}.get(column.kind, ("properties", part.name))
        _check_column(part, child(pointer, *below), is_top=False)


def _check_policy(column: Column, pointer: str, is_top: bool) -> None:
    policy = Policy(column.merge)
    if column.kind not in ALLOWED[policy]:
        fitting = ", ".join(other.value for other in Policy if column.kind in ALLOWED[other])
        raise SchemaError(f"at {pointer}: x-merge {policy.value!r} is not for {column.type_text}; choose {fitting}")
    if policy is Policy.REDUCE and not is_top:
        raise SchemaError(f"at {pointer}: x-merge 'reduce' is for properties of the top level alone")


def _check_key(column: Column, pointer: str) -> None:
    items = column.children[0] if column.kind is Kind.LIST else None
    if items is None or items.kind not in (Kind.STRUCT, Kind.JSON):
        raise SchemaError(f"at {pointer}: x-key is for lists of objects, and this is {column.type_text}")
    names = [field.name for field in items.children]
    missing = [name for name in column.key if items.kind is Kind.STRUCT and name not in names]
    if missing:
        raise SchemaError(f"at {pointer}: x-key names {missing[0]!r}, and the items have only: {', '.join(names)}")


def _count_first(node: Schema, pointer: str) -> Iterator[str]:
    if node.get("x-count-first") is True:
        yield pointer
    for branch in node.get("anyOf", ()):
        yield from (found for found in _count_first(branch, pointer) if found != pointer or "x-count-first" not in node)
    for keyword in ("properties", "patternProperties"):
        for name, part in node.get(keyword, {}).items():
            yield from _count_first(part, child(pointer, keyword, name))
    for i, part in enumerate(node.get("prefixItems", ())):
        yield from _count_first(part, child(pointer, "prefixItems", i))
    for keyword in ("items", "additionalProperties"):
        if keyword in node:
            yield from _count_first(node[keyword], child(pointer, keyword))
