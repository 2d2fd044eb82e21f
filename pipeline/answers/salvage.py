"""The text of an answer that was cut in, what of it is whole out.

Whole are the items of the list in progress that were written to their end, and the properties before it. Nothing in the
middle is kept: no half string, no object of a list that lacks its last fields.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.answers.read import Answer, check_answer, parse_json
from pipeline.answers.record import Invalid
from pipeline.schema.intersect import Schema
from pipeline.schema.load import Contract
from pipeline.schema.values import JSON

_TOKEN = re.compile(
    r"""\s*+(?:(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<open>[\[{])|(?P<close>[\]}])|(?P<colon>:)|(?P<comma>,)"""
    r"""|(?P<word>[^\s,:\[\]{}"]++)(?=[\s,\]}]))""",
    re.DOTALL,
)
"""A number at the very end may lack digits: it counts only when something follows it."""


class _Place(NamedTuple):
    """Where a text may be cut and closed: after a whole value that stands in objects, or in one list in them."""

    end: int
    n_objects: int
    in_list: bool


def salvage(text: str, contract: Contract) -> Answer | None:
    """Close the longest whole beginning of a cut answer, if what comes out satisfies the whole schema.

    Required properties that were never reached become null, or [], where the schema allows it. Takes time in
    proportion to the text.

    Example:
        '{"title": "A", "lines": [{"n": 1}, {"n": 2}, {"n"' gives {"title": "A", "lines": [{"n": 1}, {"n": 2}]}.

    Returns:
        The answer, whose counts say nothing; None when nothing in it is whole, or no valid answer can be made of it.
    """
    member, item = _last_places(text)
    for place in sorted({place for place in (member, item) if place is not None}, reverse=True):
        closing = "]" * place.in_list + "}" * place.n_objects
        found = parse_json(text[: place.end] + closing)
        if not isinstance(found, Invalid):
            answer = check_answer(_filled(found, contract), contract)
            if isinstance(answer, Answer):
                return answer
    return None


def _last_places(text: str) -> tuple[_Place | None, _Place | None]:
    """The last whole member of an object that is no list's item, and the last whole item of such a member's list."""
    member = item = None
    stack: list[str] = []
    first_list: int | None = None
    is_key = False
    position = 0
    while (match := _TOKEN.match(text, position)) is not None:
        position = match.end()
        if match["open"]:
            first_list = len(stack) if match["open"] == "[" and first_list is None else first_list
            stack.append(match["open"])
        elif match["close"]:
            if not stack:
                break
            stack.pop()
            first_list = None if first_list == len(stack) else first_list
        if match["open"] or match["comma"]:
            is_key = bool(stack) and stack[-1] == "{"
        elif match["colon"]:
            is_key = False
        elif not is_key or match["close"]:
            if stack and first_list is None:
                member = _Place(position, len(stack), in_list=False)
            elif stack and first_list == len(stack) - 1:
                item = _Place(position, len(stack) - 1, in_list=True)
    return member, item


def _filled(found: JSON, contract: Contract) -> JSON:
    """The answer with its missing required properties, in the schema's order, where they may be nothing."""
    if contract.is_wrapped or not isinstance(found, dict):
        return found
    filled = dict(found)
    for name in contract.normal.get("required", ()):
        if name not in filled:
            node = contract.normal["properties"].get(name, {})
            if _may_be(node, "null"):
                filled[name] = None
            elif _may_be(node, "array"):
                filled[name] = []
    return filled


def _may_be(node: Schema, kind: str) -> bool:
    """Whether a value of this type, which holds nothing, may stand here; the whole schema is asked afterwards."""
    if "anyOf" in node:
        return any(_may_be(branch, kind) for branch in node["anyOf"])
    if "enum" in node:
        return (None if kind == "null" else []) in node["enum"]
    return bool(node.get("type", kind) == kind)
