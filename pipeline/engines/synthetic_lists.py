"""Answers whose first list holds what was found: a decoder schema and matches in, JSON text out.

An item's property takes the text of the group of its name when its schema can hold it: as text, as a number or as true
and false, whichever it allows. Everything else is drawn, as in synthetic_answers.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

from pipeline.engines.synthetic_answers import COUNT_PREFIX, Compiler, counted_lists
from pipeline.engines.synthetic_text import pick
from pipeline.schema.validator import build_validator

Schema = dict[str, Any]

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_UNWRITABLE = dict.fromkeys((*range(9), *range(11, 32), 127))
"""Control characters but tab and line feed: the grammar has no escape for them."""


class Listing:
    """The answers of one schema that has a list for what is found."""

    def __init__(self, compiler: Compiler, top: Schema, name: str | None, node: Schema) -> None:
        """Compile.

        Args:
            compiler: Of the schema.
            top: The schema.
            name: The property that is the list; None: the answer itself is.
            node: The list's schema.
        """
        self._compiler, self._name = compiler, name
        self._members = [] if name is None else compiler.members(top)
        self._items = _Items(compiler, node)
        self._most_counted = counted_lists(top).get(name) if name is not None else None

    def draw(self, chance: Random, found: Sequence[dict[str, str]], *, is_short: bool) -> str:
        """Write an answer.

        Args:
            chance: Decides what is not found, and what a short list lacks.
            found: Groups by name, in order; those beyond the list's maxItems are left out.
            is_short: Leave out some of the items all the same. The number of items stays the true one.
        """
        listed = _leave_out(chance, found) if is_short else found
        items = self._items.draw(chance, listed)
        if self._name is None:
            return items
        written: dict[str, str] = {}
        for member in self._members:
            if member.name == self._name:
                written[member.name] = items
            elif self._most_counted is not None and member.name == COUNT_PREFIX + self._name:
                written[member.name] = str(min(len(found), self._most_counted))
            elif member.comes(chance):
                written[member.name] = member.draw(chance)
        return self._compiler.write(self._members, written)


def build_listing(decoder_schema: str, names: Sequence[str]) -> Listing | None:
    """Compile the answers with a list for what is found; None for a schema without one.

    Args:
        decoder_schema: JSON text of a schema from which `build_answers` made answers.
        names: The list is the first, at the top level, whose items are objects with all these properties.

    Raises:
        CannotAnswerError: The list's items, or what stands beside it, cannot be drawn.
    """
    top: Schema = json.loads(decoder_schema)
    compiler = Compiler(top)
    if (node := _list_for(top, names)) is not None:
        return Listing(compiler, top, None, node)
    for name, part in top.get("properties", {}).items():
        if (node := _list_for(part, names)) is not None:
            return Listing(compiler, top, name, node)
    return None


class _Items:
    """Writes one list."""

    def __init__(self, compiler: Compiler, node: Schema) -> None:
        self._compiler = compiler
        self._least: int = node.get("minItems", 0)
        self._most: int = node["maxItems"]
        properties = _object_of(node["items"])["properties"]
        self._members = compiler.members(_object_of(node["items"]))
        self._values = {name: _Value(part) for name, part in properties.items()}

    def draw(self, chance: Random, found: Sequence[dict[str, str]]) -> str:
        n_items = min(self._most, max(self._least, len(found)))
        groups = [*found[:n_items], *({} for _ in range(n_items - len(found)))]
        return "[" + self._compiler.comma.join(self._item(chance, each) for each in groups) + "]"

    def _item(self, chance: Random, groups: dict[str, str]) -> str:
        written: dict[str, str] = {}
        for member in self._members:
            value = self._values[member.name].hold(groups[member.name]) if member.name in groups else None
            if value is not None:
                written[member.name] = value
            elif member.comes(chance):
                written[member.name] = member.draw(chance)
        return self._compiler.write(self._members, written)


class _Value:
    """What one property can hold."""

    def __init__(self, node: Schema) -> None:
        self._validator: Any = build_validator(json.dumps(node))
        self._most_characters = max((part.get("maxLength", 0) for part in node.get("anyOf", [node])), default=0)

    def hold(self, text: str) -> str | None:
        """The text as a value of the property, in JSON; None when it is none."""
        words = text.translate(_UNWRITABLE)
        if self._validator.is_valid(words):
            return json.dumps(words, ensure_ascii=False)
        number = words.strip()
        if _NUMBER.fullmatch(number) and self._validator.is_valid(Decimal(number)):
            return number
        if number.lower() in ("true", "false") and self._validator.is_valid(number.lower() == "true"):
            return number.lower()
        if self._most_characters and self._validator.is_valid(words[: self._most_characters]):
            return json.dumps(words[: self._most_characters], ensure_ascii=False)
        return None


def _list_for(node: Schema, names: Sequence[str]) -> Schema | None:
    """The node, or the branch of it, that is a list whose items have properties of these names."""
    for branch in node.get("anyOf", [node]):
        item = branch.get("items") if branch.get("type") == "array" else None
        if isinstance(item, dict) and set(names) <= _object_of(item).get("properties", {}).keys():
            found: Schema = branch
            return found
    return None


def _object_of(item: Schema) -> Schema:
    """The item's schema, or its first branch with properties."""
    return next((branch for branch in item.get("anyOf", ()) if "properties" in branch), item)


def _leave_out(chance: Random, found: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Some of what was found, in order: any share of it, at least one less."""
    share = chance.random()
    kept = [each for each in found if chance.random() < share]
    if kept and len(kept) == len(found):
        del kept[pick(chance, len(kept))]
    return kept
