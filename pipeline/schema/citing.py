"""Values that are asked for with a quote (`x-evidence: true`): the normal form in, the form that is asked for out.

A property `rent` with `x-evidence` is asked for as `{"quote": "...", "rent": V}`: first the words of the document, then
what they say, under its own name once more: told "value", a small model writes sums of money. Where V may be null, null
stands for both. Of a list, each item has its own quote; of an object, the whole has one. A quote has at least one
character, and is short: what is cut of it is found all the same.
"""

from __future__ import annotations

from typing import Any

from pipeline.schema.intersect import Schema, union

QUOTE = "quote"
_UNNAMED = "value"
"""How a value is called that has no name of its own, or one that its quote has."""
CITED = "x-cited"
"""Marks the object of a quote and its value, in the form that is asked for."""
IS_QUOTE = "x-quote"
"""Marks the quote in it."""
QUOTE_LENGTH = 400
"""Characters of a quote, at most."""
_QUOTE_NODE: Schema = {"type": "string", "minLength": 1, IS_QUOTE: True}
_BELOW = ("properties", "patternProperties")


def asks_for_quotes(normal: Schema) -> bool:
    """Whether a normal form has `x-evidence: true` anywhere."""
    return normal.get("x-evidence") is True or any(map(asks_for_quotes, _parts(normal)))


def is_cited(form: Schema) -> bool:
    """Whether a form has a value with a quote anywhere."""
    return form.get(CITED) is True or any(map(is_cited, _parts(form)))


def with_quotes(normal: Schema) -> Schema:
    """The form that is asked for; the normal form itself when it asks for no quotes."""
    return _arranged(normal, _UNNAMED) if asks_for_quotes(normal) else normal


def value_name(cited: Schema) -> str:
    """How the value is called that stands beside a quote.

    Args:
        cited: A node that is marked CITED.
    """
    properties: Schema = cited["properties"]
    return next(name for name in properties if name != QUOTE)


def _arranged(node: Schema, name: str) -> Schema:
    """Arrange a node and its parts; items of a list and values of a map are called as it is."""
    is_cited = node.get("x-evidence") is True
    below: Schema = {}
    if "properties" in node:
        below["properties"] = {inner: _arranged(part, inner) for inner, part in node["properties"].items()}
    if "patternProperties" in node:
        below["patternProperties"] = {key: _arranged(part, name) for key, part in node["patternProperties"].items()}
    for keyword in ("anyOf", "prefixItems"):
        if keyword in node:
            below[keyword] = [_arranged(part, name) for part in node[keyword]]
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            below[keyword] = _arranged(node[keyword], name)
    arranged = {**node, **below}
    return _cited(arranged, name) if is_cited else arranged


def _cited(node: Schema, name: str) -> Schema:
    """A node whose parts are arranged, itself with quotes: branch by branch, but for null."""
    about: Schema = {keyword: node[keyword] for keyword in ("title", "description") if keyword in node}
    own = {keyword: part for keyword, part in node.items() if keyword != "x-evidence"}
    branches = own.pop("anyOf") if "anyOf" in own else [own]
    lists = [branch for branch in branches if _is_list(branch)]
    others = [rest for branch in branches if not _is_list(branch) for rest in _without_null(branch)]
    cited: list[Schema] = [{**one, "items": _cited_item(one.get("items", {}), name)} for one in lists]
    if others:
        cited.append(_wrapped(union(others) if len(others) > 1 else others[0], name))
    if any(_may_be_null(branch) for branch in branches):
        cited.append({"type": "null"})
    if len(cited) == 1:
        return {**about, **cited[0]}
    kept = {word: part for word, part in node.items() if word.startswith("x-") and word != "x-evidence"}
    return {**about, **kept, "anyOf": cited}


def _cited_item(node: Schema, name: str) -> Schema:
    """An item of a list with quotes, itself with one quote whatever it is; null stands for both."""
    branches = node.get("anyOf", [node])
    if any(branch.get(CITED) is True for branch in branches):  # a list and its items both ask: one quote each
        return node
    others = [rest for branch in branches for rest in _without_null(branch)]
    if not others or not any(map(_may_be_null, branches)):
        return _wrapped(node, name)
    return {"anyOf": [_wrapped(union(others) if len(others) > 1 else others[0], name), {"type": "null"}]}


def _wrapped(value: Schema, name: str) -> Schema:
    value = {keyword: part for keyword, part in value.items() if keyword != "x-evidence"}
    called = _UNNAMED if name == QUOTE else name
    return {
        "type": "object",
        "properties": {QUOTE: _QUOTE_NODE, called: value},
        "required": [QUOTE, called],
        "additionalProperties": {"enum": []},
        CITED: True,
    }


def _is_list(node: Schema) -> bool:
    return node.get("type") == "array" and "prefixItems" not in node


def _may_be_null(node: Schema) -> bool:
    return node.get("type") == "null" or None in node.get("enum", ())


def _without_null(node: Schema) -> list[Schema]:
    """The node without the value null: nothing, when that is its only one."""
    if node.get("type") == "null":
        return []
    if None not in node.get("enum", ()):
        return [node]
    values = [value for value in node["enum"] if value is not None]
    return [{**node, "enum": values}] if values else []


def _parts(node: Schema) -> list[Schema]:
    found: list[Any] = [part for keyword in _BELOW for part in node.get(keyword, {}).values()]
    found += [part for keyword in ("anyOf", "prefixItems") for part in node.get(keyword, ())]
    found += [node[keyword] for keyword in ("items", "additionalProperties") if keyword in node]
    return [part for part in found if isinstance(part, dict)]
