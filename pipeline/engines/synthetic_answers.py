"""A decoder schema in, a function that draws answers out: JSON text that the schema's grammar allows, kept short.

It knows the shapes that `pipeline.schema.decoder` writes, and takes only the type and the bounds of what it does not.
Text is made directly, in the layout that the schema's `x-guidance` asks for: no value passes through a double.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from pipeline.engines.synthetic_numbers import build_number
from pipeline.engines.synthetic_text import CannotAnswerError, Draw, build_formatted, build_pattern, build_words, pick

Schema = dict[str, Any]

_NULL_RATIO = 0.15
_PRESENT_RATIO = 0.9
_USUAL_ITEMS = 3
_TRIES = 20
_DEEP = 3
_LITERALS = {"boolean": ["true", "false"], "null": ["null"]}


def build_answers(decoder_schema: str, *, brief: bool = False) -> Draw:
    """Compile a decoder schema.

    Args:
        decoder_schema: JSON text.
        brief: Draw the shortest answers: nothing optional, fewest items, null where it may be.

    Raises:
        CannotAnswerError: It is no JSON object, or no answer was found that satisfies it.
    """
    try:
        schema = json.loads(decoder_schema)
        layout = schema.get("x-guidance", {})
        return _Compiler(layout.get("item_separator", ", "), layout.get("key_separator", ": "), brief=brief).node(
            schema
        )
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as exc:  # whatever odd JSON can cause
        if isinstance(exc, CannotAnswerError):
            raise
        raise CannotAnswerError(f"the decoder schema is not one: {type(exc).__name__}: {exc}") from exc


class _Compiler:
    """One function per node, each made once: drawing an answer looks at no schema."""

    def __init__(self, item_separator: str, key_separator: str, *, brief: bool) -> None:
        self._comma, self._colon, self._brief = item_separator, key_separator, brief
        self._n_around = 0

    def node(self, node: Schema) -> Draw:
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
                return _quoted(_string(node))

    def _union(self, branches: list[Schema]) -> Draw:
        """Null now and then, else any branch. The branch below 0 takes the step of the one above, see `decoder`."""
        steps = [branch["multipleOf"] for branch in branches if "multipleOf" in branch]
        present: list[Draw] = []
        error = CannotAnswerError("a union without a branch")
        for branch in branches:
            if branch.get("type") == "null":
                continue
            try:
                present.append(self._branch(branch, steps))
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

    def _branch(self, branch: Schema, steps: list[float]) -> Draw:
        if branch.get("type") in ("integer", "number") and "multipleOf" not in branch and len(steps) == 1:
            try:
                return build_number({**branch, "multipleOf": steps[0]})
            except CannotAnswerError:
                return build_number(branch)
        return self.node(branch)

    def _array(self, node: Schema) -> Draw:
        first = [self.node(part) for part in node.get("prefixItems", ())]
        if first:
            n_first = node.get("minItems", 0) if self._brief else len(first)
            return lambda chance: "[" + self._comma.join(part(chance) for part in first[:n_first]) + "]"
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
            return "[" + self._comma.join(_different(item, chance, count, n_tries)) + "]"

        return draw

    def _object(self, node: Schema) -> Draw:
        required = node.get("required", ())
        members: list[tuple[str, Draw, bool]] = []
        for name, part in node.get("properties", {}).items():
            if self._brief and name not in required:
                continue
            try:
                value = self.node(part)
            except CannotAnswerError:
                if name in required:
                    raise
                continue
            members.append((json.dumps(name, ensure_ascii=False) + self._colon, value, name in required))

        def draw(chance: Random) -> str:
            written = [
                key + value(chance) for key, value, always in members if always or chance.random() < _PRESENT_RATIO
            ] or [key + value(chance) for key, value, _ in members[:1]]
            return "{" + self._comma.join(written) + "}"

        return draw

    def _map(self, node: Schema) -> Draw:
        kinds: list[tuple[Draw, Draw]] = []
        for pattern, part in node["patternProperties"].items():
            if part != {"enum": []}:
                kinds.append((_quoted(_key(pattern)), self._inside(part)))
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
            return "{" + self._comma.join(key + self._colon + value for key, value in found.items()) + "}"

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


def _one_of(texts: list[str]) -> Draw:
    if not texts:
        raise CannotAnswerError("an empty enum allows no value")
    return lambda chance: texts[pick(chance, len(texts))]


def _string(node: Schema) -> Draw:
    least = node.get("minLength", 0)
    most = node.get("maxLength", max(least, 30))
    if "pattern" in node:
        kept = ("type", "pattern", "format", "minLength", "maxLength")
        return build_pattern({key: node[key] for key in kept if key in node})
    if "format" in node:
        return build_formatted(node["format"], least, most)
    return build_words(least, most)


def _key(pattern: str) -> Draw:
    """A key of a map: words where the decoder form says only how long it may be."""
    free = re.fullmatch(r"\^\.\{1,(\d+)\}\$", pattern)
    return build_words(1, int(free[1])) if free else build_pattern({"type": "string", "pattern": pattern})


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
