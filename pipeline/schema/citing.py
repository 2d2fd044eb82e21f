"""Values that are asked for with a quote (`x-evidence: true`): the normal form in, the form that is asked for out.

A value V with `x-evidence` is asked for as `{"quote": "...", "value": V}`: first the words of the document, then what
they say. Where V may be null, null stands for both. Of a list, each item has its own quote; of an object, the whole has
one. A quote has at least one character, and is short: what is cut of it is found all the same.
"""

from __future__ import annotations

from typing import Any

from pipeline.schema.intersect import Schema, union

QUOTE, VALUE = "quote", "value"
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
    return _arranged(normal) if asks_for_quotes(normal) else normal


def _arranged(node: Schema) -> Schema:
    is_cited = node.get("x-evidence") is True
    below: Schema = {
        keyword: {name: _arranged(part) for name, part in node[keyword].items()}
        for keyword in _BELOW
        if keyword in node
    }
    for keyword in ("anyOf", "prefixItems"):
        if keyword in node:
            below[keyword] = [_arranged(part) for part in node[keyword]]
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            below[keyword] = _arranged(node[keyword])
    arranged = {**node, **below}
    return _cited(arranged) if is_cited else arranged


def _cited(node: Schema) -> Schema:
    """A node whose parts are arranged, itself with quotes: branch by branch, but for null."""
    about: Schema = {name: node[name] for name in ("title", "description") if name in node}
    own = {name: part for name, part in node.items() if name != "x-evidence"}
    branches = own.pop("anyOf") if "anyOf" in own else [own]
    lists = [branch for branch in branches if _is_list(branch)]
    others = [rest for branch in branches if not _is_list(branch) for rest in _without_null(branch)]
    cited: list[Schema] = [{**one, "items": _cited_item(one.get("items", {}))} for one in lists]
    if others:
        cited.append(_wrapped(union(others) if len(others) > 1 else others[0]))
    if any(_may_be_null(branch) for branch in branches):
        cited.append({"type": "null"})
    if len(cited) == 1:
        return {**about, **cited[0]}
    kept = {name: part for name, part in node.items() if name.startswith("x-") and name != "x-evidence"}
    return {**about, **kept, "anyOf": cited}


def _cited_item(node: Schema) -> Schema:
    """An item of a list with quotes, itself with one quote whatever it is; null stands for both."""
    branches = node.get("anyOf", [node])
    if any(branch.get(CITED) is True for branch in branches):  # a list and its items both ask: one quote each
        return node
    others = [rest for branch in branches for rest in _without_null(branch)]
    if not others or not any(map(_may_be_null, branches)):
        return _wrapped(node)
    return {"anyOf": [_wrapped(union(others) if len(others) > 1 else others[0]), {"type": "null"}]}


def _wrapped(value: Schema) -> Schema:
    value = {name: part for name, part in value.items() if name != "x-evidence"}
    return {
        "type": "object",
        "properties": {QUOTE: _QUOTE_NODE, VALUE: value},
        "required": [QUOTE, VALUE],
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
