"""A decoder schema in, a function that draws answers out: JSON text that the schema's grammar allows, kept short.

It knows the shapes that `pipeline.schema.decoder` writes, and takes only the type and the bounds of what it does not.
Text is made directly, in the layout that the schema's `x-guidance` asks for: no value passes through a double.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pipeline.engines.synthetic_numbers import build_number
from pipeline.engines.synthetic_text import MAX_PATTERN, CannotAnswerError, Draw, build_key, build_string, pick

Schema = dict[str, Any]

_NULL_RATIO = 0.15
_PRESENT_RATIO = 0.9
_USUAL_ITEMS = 3
_TRIES = 20
_DEEP = 3
COUNT_PREFIX = "_n_"
"""Before a list's name: the property in which an answer first says how many items the list has."""
_LITERALS = {"boolean": ["true", "false"], "null": ["null"]}


def build_answers(decoder_schema: str, *, brief: bool = False, is_short: bool = False) -> Draw:
    """Compile a decoder schema.

    Args:
        decoder_schema: JSON text.
        brief: Draw the shortest answers: nothing optional, fewest items, null where it may be.
        is_short: Where an answer says how many items a list has, say a few more than it has.

    Raises:
        CannotAnswerError: It is no JSON object, or no answer was found that satisfies it.
    """
    try:
        schema = json.loads(decoder_schema)
        return Compiler(schema, brief=brief).top(schema, is_short=is_short)
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as exc:  # whatever odd JSON can cause
        if isinstance(exc, CannotAnswerError):
            raise
        raise CannotAnswerError(f"the decoder schema is not one: {type(exc).__name__}: {exc}") from exc


def counted_lists(schema: Schema) -> dict[str, int]:
    """The lists that an answer counts before it gives them, by name, each with the largest number it may say."""
    properties = schema.get("properties", {})
    counts = {name: properties.get(f"{COUNT_PREFIX}{name}", {}).get("maximum") for name in properties}
    return {name: most for name, most in counts.items() if most is not None and _is_list(properties[name])}


def _is_list(node: Schema) -> bool:
    """Whether it allows a list, and nothing beside it but null."""
    return {branch.get("type") for branch in node.get("anyOf", [node])} in ({"array"}, {"array", "null"})


@dataclass(frozen=True, slots=True)
class Member:
    """A property of an object that is drawn.

    Attributes:
        name: Its name.
        draw: Draws its value.
        is_required: Whether it always comes.
    """

    name: str
    draw: Draw
    is_required: bool

    def comes(self, chance: Random) -> bool:
        """Whether it comes this time."""
        return self.is_required or chance.random() < _PRESENT_RATIO


class Compiler:
    """One function per node, each made once: drawing an answer looks at no schema.

    Attributes:
        comma: What stands between items and members.
    """

    def __init__(self, schema: Schema, *, brief: bool = False) -> None:
        layout = schema.get("x-guidance", {})
        self.comma: str = layout.get("item_separator", ", ")
        self._colon: str = layout.get("key_separator", ": ")
        self._brief = brief
        self._n_around = 0

    def top(self, schema: Schema, *, is_short: bool) -> Draw:
        """The answer's own node: here lists may be counted."""
        counted = counted_lists(schema)
        if not counted:
            return self.node(schema)
        members = self.members(schema)

        def draw(chance: Random) -> str:
            written = _draw_members(members, chance)
            for name, most in counted.items():
                listed = json.loads(written.get(name, "null"))
                n_more = 1 + pick(chance, _USUAL_ITEMS) if is_short else 0
                written[f"{COUNT_PREFIX}{name}"] = str(min(most, len(listed or ()) + n_more))
            return self.write(members, written)

        return draw

    def write(self, members: Sequence[Member], written: Mapping[str, str]) -> str:
        """Write an object, its members in their order."""
        texts = [
            json.dumps(member.name, ensure_ascii=False) + self._colon + written[member.name]
            for member in members
            if member.name in written
        ]
        return "{" + self.comma.join(texts) + "}"

    def members(self, node: Schema) -> list[Member]:
        """The properties of an object's node that can be drawn."""
        required = node.get("required", ())
        found: list[Member] = []
        for name, part in node.get("properties", {}).items():
            if self._brief and name not in required:
                continue
            try:
                value = self.node(part)
            except CannotAnswerError:
                if name in required:
                    raise
                continue
            found.append(Member(name, value, name in required))
        return found

    def node(self, node: Schema) -> Draw:
        """Compile any node."""
        if "anyOf" in node:
            return self._union(node["anyOf"])
        if "enum" in node:
            return _one_of([json.dumps(value, ensure_ascii=False) for value in node["enum"]])
        match node.get("type"):
            case "integer" | "number":
                return build_number(node)
            case "array":
                return self._array(node)
            case "object" if "patternProperties" in node:
                return self._map(node)
            case "object":
                return self._object(node)
            case "boolean" | "null" as simple:
                return _one_of(_LITERALS[simple])
            case _:
                return _quoted(build_string(node))

    def _union(self, branches: list[Schema]) -> Draw:
        """Null now and then, else any branch."""
        present: list[Draw] = []
        error = CannotAnswerError("a union without a branch")
        for branch in branches:
            if branch.get("type") == "null":
                continue
            try:
                present.append(self.node(branch))
            except CannotAnswerError as exc:
                error = exc
        may_be_null = len(present) < len(branches) and any(branch.get("type") == "null" for branch in branches)
        if may_be_null and (self._brief or not present):
            return _one_of(["null"])
        if not present:
            raise error
        null_ratio = _NULL_RATIO if may_be_null else 0.0

        def draw(chance: Random) -> str:
            return "null" if chance.random() < null_ratio else present[pick(chance, len(present))](chance)

        return draw

    def _array(self, node: Schema) -> Draw:
        first = [self.node(part) for part in node.get("prefixItems", ())]
        if first:
            n_first = node.get("minItems", 0) if self._brief else len(first)
            return lambda chance: "[" + self.comma.join(part(chance) for part in first[:n_first]) + "]"
        least = node.get("minItems", 0)
        most = node.get("maxItems", least + _USUAL_ITEMS)
        if most == 0:
            return _one_of(["[]"])
        low, high = self._counts(least, most)
        part = node.get("items", {})
        item = self._inside(part)
        n_tries = _TRIES if _is_simple(part) else 1

        def draw(chance: Random) -> str:
            count = low + pick(chance, high - low + 1)
            return "[" + self.comma.join(_different(item, chance, count, n_tries)) + "]"

        return draw

    def _object(self, node: Schema) -> Draw:
        members = self.members(node)
        return lambda chance: self.write(members, _draw_members(members, chance))

    def _map(self, node: Schema) -> Draw:
        kinds: list[tuple[Draw, Draw]] = []
        most_characters = node.get("x-key-length", MAX_PATTERN)
        for pattern, part in node["patternProperties"].items():
            if part != {"enum": []}:
                kinds.append((_quoted(build_key(pattern, most_characters)), self._inside(part)))
        least = node.get("minProperties", 0)
        low, high = self._counts(least, node.get("maxProperties", least + _USUAL_ITEMS))
        if not kinds and least:
            raise CannotAnswerError("a map whose keys may have no value")

        def draw_key(chance: Random) -> tuple[str, Draw]:
            key, value = kinds[pick(chance, len(kinds))]
            return key(chance), value

        def draw(chance: Random) -> str:
            found: dict[str, str] = {}
            count = low + pick(chance, high - low + 1) if kinds else 0
            for _ in range(_TRIES * count):
                key, value = draw_key(chance)
                if len(found) < count and key not in found:
                    found[key] = value(chance)
            if len(found) < least:
                raise CannotAnswerError(f"only {len(found)} of {least} different keys were found")
            return "{" + self.comma.join(key + self._colon + value for key, value in found.items()) + "}"

        return draw

    def _inside(self, part: Schema) -> Draw:
        """Compile the items of a list or the values of a map."""
        self._n_around += 1
        try:
            return self.node(part)
        finally:
            self._n_around -= 1

    def _counts(self, least: int, most: int) -> tuple[int, int]:
        """How many items to draw, both inclusive; one in lists deep in others, whose number would explode."""
        if self._brief:
            return least, least
        low = max(least, min(1, most))
        return low, max(low, min(most, _USUAL_ITEMS if self._n_around < _DEEP else 1))


def _draw_members(members: list[Member], chance: Random) -> dict[str, str]:
    """Values by name; of an object without required members at least the first."""
    written = {member.name: member.draw(chance) for member in members if member.comes(chance)}
    return written or {member.name: member.draw(chance) for member in members[:1]}


def _one_of(texts: list[str]) -> Draw:
    if not texts:
        raise CannotAnswerError("an empty enum allows no value")
    return lambda chance: texts[pick(chance, len(texts))]


def _quoted(draw: Draw) -> Draw:
    return lambda chance: json.dumps(draw(chance), ensure_ascii=False)


def _is_simple(node: Schema) -> bool:
    """Whether a value can be drawn again and again at no cost."""
    if "anyOf" in node:
        return all(map(_is_simple, node["anyOf"]))
    return "enum" in node or node.get("type") in ("string", "integer", "number", "boolean", "null")


def _different(draw: Callable[[Random], str], chance: Random, count: int, n_tries: int) -> list[str]:
    """Draw `count` texts, no two equal as long as others come up: lists often must have unique items."""
    found: dict[str, None] = {}
    for _ in range(n_tries * count):
        if len(found) == count:
            break
        found[draw(chance)] = None
    texts = list(found)
    return texts + [draw(chance) for _ in range(count - len(texts))]
