"""The last step of the normal form: every node becomes one that the decoder form can be made of as it stands.

Names that are required are declared, ranges that no value fits become "no value", properties that cannot have a value
go, tuples get their full length, and what the grammar cannot hold at a node is noted as left to the validator.
"""

from __future__ import annotations

import math

from pipeline.schema.bounded import MOST_CHARACTERS, MOST_ITEMS, Bounds, build_bounded
from pipeline.schema.finding import Notes
from pipeline.schema.grammar import enforceable_text
from pipeline.schema.intersect import (
    NEVER,
    ORIGIN,
    RECURSIVE,
    Schema,
    describing,
    is_never,
    never,
    property_of,
    union,
)
from pipeline.schema.pointer import child

_LEAST = Bounds(length=1, n_items=1)
MOST_FIRST = 64
"""Items that a tuple is written out to when `minItems` asks for more than `prefixItems` names."""


def settle(node: Schema, notes: Notes) -> Schema:
    """Give a node, and all below it, in the form that the decoder form is made of.

    Args:
        node: As the normaliser made it, with its origins.
        notes: Where it is noted what is left to the validator.
    """
    at = node.get(ORIGIN, ())
    bare = {key: value for key, value in node.items() if key != ORIGIN}
    if "anyOf" in bare:
        return {**union([settle(branch, notes) for branch in bare["anyOf"]]), **describing(bare)}
    match bare.get("type"):
        case "object":
            return _object(bare, at, notes)
        case "array":
            return _array(bare, at, notes)
        case "string":
            return _string(bare, at, notes)
        case "integer" | "number":
            return _number(bare, at, notes)
    return bare


def _where(at: tuple[str, ...]) -> str:
    return " and ".join(pointer or "/" for pointer in at)


def _first(at: tuple[str, ...]) -> str:
    return at[0] if at else ""


def _empty_range(node: Schema, least: str, most: str, at: tuple[str, ...]) -> Schema | None:
    if least in node and most in node and node[least] > node[most]:
        return never(f"at {_where(at)}: {least} is {node[least]} and {most} is {node[most]}")
    longest = MOST_CHARACTERS if least == "minLength" else MOST_ITEMS
    if node.get(least, 0) > longest:
        return never(f"at {_where(at)}: {least} is {node[least]:,}, and at most {longest:,} are written")
    return None


def _string(node: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    empty = _empty_range(node, "minLength", "maxLength", at)
    if empty:
        return empty
    stated = [keyword for keyword in ("pattern", "format") if keyword in node]
    kept = build_bounded(node, _LEAST) if stated else node
    for keyword in stated:
        if keyword not in kept:
            reason = f"the grammar cannot hold {node[keyword]!r} here; an answer that breaks it is rejected"
            notes.leave(at, keyword, reason)
    return node


def _number(node: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    bounded = build_bounded(node, _LEAST)
    if is_never(bounded):
        bounds = ", ".join(f"{key} {value}" for key, value in node.items() if key not in describing(node))
        return never(f"at {_where(at)}: no number fits ({bounds})")
    if "multipleOf" in node and bounded.get("multipleOf") != node["multipleOf"]:
        notes.leave(at, "multipleOf", f"no grammar can say multiples of {node['multipleOf']} in this range")
    return node


def _array(node: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    empty = _empty_range(node, "minItems", "maxItems", at)
    if empty:
        return empty
    item = settle(node["items"], notes) if "items" in node else {}
    least = node.get("minItems", 0)
    if node.get("prefixItems"):
        return _tuple(node, item, at, notes)
    if is_never(item) and least:
        return never(str(item.get("$why", f"at {_where(at)}: minItems is {least}, and no item is allowed")))
    if "items" not in node:
        return node
    return {**node, "items": {key: value for key, value in item.items() if key != "$why"}}


def _tuple(node: Schema, item: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    """Write a tuple out to its full length: as many items as must be, at least those that are named."""
    least, most = node.get("minItems", 0), node.get("maxItems", math.inf)
    first = [settle(part, notes) for part in node["prefixItems"]]
    first += [item] * (min(least, MOST_FIRST) - len(first))
    n_possible = next((i for i, part in enumerate(first) if is_never(part)), len(first))
    if least > n_possible:
        if not is_never(item) and n_possible == len(first):
            notes.leave(at, "minItems", f"the grammar writes {n_possible} items of a tuple; checked afterwards")
        else:
            return never(f"at {_where(at)}: minItems is {least}, and only {n_possible} items are possible")
    first = first[: int(min(n_possible, most))]
    if not is_never(item) and len(first) < most:
        notes.tell(_first(at), "prefixItems", f"the grammar writes at most the first {len(first)} items")
    kept = {key: value for key, value in node.items() if key not in ("prefixItems", "items")}
    return {**kept, "prefixItems": first} if first else {**kept, "items": dict(NEVER), "maxItems": 0}


def _object(node: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    empty = _empty_range(node, "minProperties", "maxProperties", at)
    if empty:
        return empty
    declared = {**node.get("properties", {})}
    for name in node.get("required", ()):
        if name not in declared:
            declared[name] = _undeclared(node, name, at, notes)
    properties = {name: settle(part, notes) for name, part in declared.items()}
    for name in node.get("required", ()):
        if is_never(properties[name]):
            return dict(properties[name])
    result = _map(node, at, notes)
    if "properties" in node or properties:
        result["properties"] = _possible(properties, at, notes)
        _leave_sizes(result, at, notes)
        result.pop("patternProperties", None)
        return result
    is_empty = is_never(result.get("additionalProperties", {})) and not result.get("patternProperties")
    if is_empty and node.get("minProperties", 0):
        return never(f"at {_where(at)}: minProperties is {node['minProperties']}, and no property is allowed")
    if node.get("minProperties", 0) > 1:
        notes.leave(at, "minProperties", "a name can be written twice, which counts once; checked afterwards")
    return result


def _undeclared(node: Schema, name: str, at: tuple[str, ...], notes: Notes) -> Schema:
    part = property_of(node, name, notes)
    if is_never(part):
        return never(f"at {_where(at)}: 'required' names {name!r}, which 'additionalProperties' forbids; declare it")
    if not part:
        reason = f"'required' names {name!r}, which 'properties' does not declare; any value is taken. Declare it"
        notes.tell(_first(at), "required", reason)
    return part


def _possible(properties: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    """Drop the optional properties that no value can have."""
    for name, part in properties.items():
        if is_never(part) and not part.get(RECURSIVE):
            reason = f"no value fits ({part.get('$why', 'it is false')}); it is never written and has no column"
            notes.tell(child(_first(at), "properties", name), "properties", reason)
    return {name: part for name, part in properties.items() if not is_never(part)}


def _map(node: Schema, at: tuple[str, ...], notes: Notes) -> Schema:
    """Settle what holds for names that are not declared; a pattern that the grammar does not know becomes any name."""
    result = dict(node)
    extra = settle(node["additionalProperties"], notes) if "additionalProperties" in node else {}
    patterns: Schema = {}
    for pattern, part in node.get("patternProperties", {}).items():
        settled = settle(part, notes)
        if is_never(settled):
            notes.leave(
                at, "patternProperties", f"the grammar cannot forbid names like {pattern!r}; checked afterwards"
            )
            continue
        patterns[pattern] = settled
        if "pattern" not in enforceable_text({"pattern": pattern}):
            reason = f"the grammar does not know {pattern!r}; any name is written, and checked afterwards"
            for keyword in ("patternProperties", "additionalProperties", "propertyNames"):
                notes.leave(at, keyword, reason)
    if "patternProperties" in node:
        result["patternProperties"] = patterns
    if "additionalProperties" in result:
        result["additionalProperties"] = {key: value for key, value in extra.items() if key != "$why"}
    return {key: value for key, value in result.items() if key != "patternProperties" or value}


def _leave_sizes(node: Schema, at: tuple[str, ...], notes: Notes) -> None:
    """The grammar does not count properties: a bound on their number holds only when it cannot be broken."""
    if node.get("minProperties", 0) > len(node.get("required", ())):
        notes.leave(at, "minProperties", "the grammar does not count properties; an answer that breaks it is rejected")
    if node.get("maxProperties", math.inf) < len(node["properties"]):
        notes.leave(at, "maxProperties", "the grammar does not count properties; an answer that breaks it is rejected")


def n_nodes(node: Schema) -> int:
    """Count the nodes of a normal form."""
    count, waiting = 0, [node]
    while waiting:
        part = waiting.pop()
        count += 1
        waiting += [*part.get("anyOf", ()), *part.get("prefixItems", ())]
        waiting += [*part.get("properties", {}).values(), *part.get("patternProperties", {}).values()]
        waiting += [part[keyword] for keyword in ("items", "additionalProperties") if keyword in part]
    return count
