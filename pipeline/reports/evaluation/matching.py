"""One annotated value and the one that was found in, what became of it out: right, wrong, left out, or made up.

A list is compared item by item, whatever the order, an item that stands twice twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.answers.sameness import is_blank
from pipeline.reports.evaluation.comparable import Key, exact_key, normal_key
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON


class Counts(NamedTuple):
    """How often what happened. Of a list each item counts; `wrong` is then 0, and `absent` 1 if both have no item."""

    correct: int = 0
    wrong: int = 0
    omitted: int = 0
    hallucinated: int = 0
    absent: int = 0

    @property
    def n_mistakes(self) -> int:
        """All that is not as the gold has it."""
        return self.wrong + self.omitted + self.hallucinated


@dataclass(frozen=True, slots=True)
class Pair:
    """A value that the gold annotates, and what the row has there.

    Attributes:
        field: The field's name, such as "term", "address.city" or "lines[].amount".
        item: Which item of a list with a key, or which key of a map, in words; None outside of them.
        gold: The annotated value; None: annotated as absent.
        found: The value in the row; None: there is none.
        column: The field's column; of a LIST, gold and found are lists or None.
    """

    field: str
    item: str | None
    gold: JSON
    found: JSON
    column: Column


class Mistake(NamedTuple):
    """One value, or item of a list, that is not right: "wrong", "omitted" or "hallucinated"."""

    outcome: str
    gold: JSON
    found: JSON


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a pair: counted exactly and as a person would say; and, of the latter, what is not right."""

    exact: Counts
    normalized: Counts
    mistakes: tuple[Mistake, ...]


def judge(pair: Pair) -> Judgement:
    """Compare a pair. What says nothing (white space, an empty list) is as if it were absent."""
    exact, _ = _compare(pair, exact_key)
    normalized, mistakes = _compare(pair, normal_key)
    return Judgement(exact, normalized, mistakes)


def _compare(pair: Pair, key: Callable[[JSON, Column], Key]) -> tuple[Counts, tuple[Mistake, ...]]:
    if pair.column.kind is Kind.LIST:
        return _compare_lists(_items(pair.gold), _items(pair.found), lambda item: key(item, pair.column.children[0]))
    gold, found = _said(pair.gold), _said(pair.found)
    if gold is None and found is None:
        return Counts(absent=1), ()
    if gold is None:
        return Counts(hallucinated=1), (Mistake("hallucinated", None, pair.found),)
    if found is None:
        return Counts(omitted=1), (Mistake("omitted", pair.gold, None),)
    ours, theirs = key(gold, pair.column), key(found, pair.column)
    if theirs.plain in ours or ours.plain in theirs:
        return Counts(correct=1), ()
    return Counts(wrong=1), (Mistake("wrong", pair.gold, pair.found),)


def _compare_lists(
    gold: list[JSON], found: list[JSON], key: Callable[[JSON], Key]
) -> tuple[Counts, tuple[Mistake, ...]]:
    if not gold and not found:
        return Counts(absent=1), ()
    ours, theirs = [(key(item), item) for item in gold], [(key(item), item) for item in found]
    for side in (0, 1, 2):  # as they stand, then a name of the gold turned around, then one that was found
        ours, theirs = _without_equals(ours, theirs, turn_gold=side == 1, turn_found=side == 2)
    missing = tuple(Mistake("omitted", item, None) for _, item in ours)
    extra = tuple(Mistake("hallucinated", None, item) for _, item in theirs)
    return Counts(len(gold) - len(ours), 0, len(ours), len(theirs)), (*missing, *extra)


_Keyed = tuple[Key, JSON]


def _without_equals(
    ours: Sequence[_Keyed], theirs: Sequence[_Keyed], *, turn_gold: bool, turn_found: bool
) -> tuple[list[_Keyed], list[_Keyed]]:
    """What is left of two lists when as many equal items as possible are taken from both."""
    of_ours, of_theirs = [one[0][turn_gold] for one in ours], [one[0][turn_found] for one in theirs]
    common = Counter(of_ours) & Counter(of_theirs)
    return _less(ours, of_ours, common.copy()), _less(theirs, of_theirs, common)


def _less(items: Sequence[_Keyed], texts: Sequence[str], taken: Counter[str]) -> list[_Keyed]:
    left = []
    for item, text in zip(items, texts, strict=True):
        if taken[text]:
            taken[text] -= 1
        else:
            left.append(item)
    return left


def _items(value: JSON) -> list[JSON]:
    """The items that say something; a row may hold a single value where a list belongs."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if _said(item) is not None]


def _said(value: JSON) -> JSON:
    return None if value is None or is_blank(value) else value
