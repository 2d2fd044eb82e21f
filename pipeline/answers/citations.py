"""The quotes of an answer: what the model wrote in, the plain answer and what was quoted for which value out.

See `schema.citing` for the form. An answer that was not written under its grammar may lack a quote where one was asked
for: its value is cited with an empty one, so that it counts as not found.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.schema.citing import CITED, QUOTE, is_cited, value_name
from pipeline.schema.exact import ExactValidator
from pipeline.schema.intersect import Schema
from pipeline.schema.json_text import JSON
from pipeline.schema.pointer import child


@dataclass(frozen=True, slots=True)
class Citation:
    """A value that a quote was asked for.

    Attributes:
        pointer: Where the value stands in the record's values (RFC 6901).
        quote: The words, as the model wrote them; empty when it wrote none.
        value: The value, never null.
    """

    pointer: str
    quote: str
    value: JSON


def take_quotes(written: JSON, form: Schema, pointer: str = "") -> tuple[JSON, tuple[Citation, ...]]:
    """Take the quotes out of an answer.

    Args:
        written: The answer; it need not have the form.
        form: What was asked for: `Contract.asked`.
        pointer: Where the answer will stand in the record's values.

    Returns:
        The answer with each value in the place of its quote and it, and the citations in its order; of values that
        hold cited values themselves, the outer first.
    """
    found: list[Citation] = []
    return _taken(written, form, pointer, found), tuple(found)


def _taken(written: JSON, form: Schema, pointer: str, found: list[Citation]) -> JSON:
    meant = _meant(written, form)
    branches = [branch for branch in meant if is_cited(branch)]
    cited = next((branch for branch in branches if branch.get(CITED) is True), None)
    if cited is not None and written is not None and not _is_listed(written, branches):
        return _value(written, cited, pointer, found)
    if isinstance(written, list):
        return _items(written, branches, pointer, found)
    if isinstance(written, dict):
        return _members(written, branches, pointer, found)
    return written


def _meant(written: JSON, form: Schema) -> list[Schema]:
    """The branches of a union that an answer may have been written by: of several the one that takes it, if one does.

    Null has no quote, so what it may be instead is no choice.
    """
    branches = [branch for branch in form.get("anyOf", [form]) if isinstance(branch, dict)]
    choices = [branch for branch in branches if branch.get("type") != "null"]
    if len(choices) < 2 or not any(map(is_cited, choices)):
        return choices
    taking = [branch for branch in choices if _is_taken(written, branch)]
    return taking[:1] or choices


def _is_taken(written: JSON, branch: Schema) -> bool:
    """Whether a branch of the form allows an answer."""
    try:
        return bool(ExactValidator(branch).is_valid(written))
    except RecursionError:  # an answer of another form may be nested deeper than a validator goes
        return False


def _is_listed(written: JSON, branches: list[Schema]) -> bool:
    """Whether it is a list whose items have their own quotes."""
    return isinstance(written, list) and any(branch.get("type") == "array" for branch in branches)


def _value(written: JSON, cited: Schema, pointer: str, found: list[Citation]) -> JSON:
    quote: JSON = ""
    value, name = written, value_name(cited)
    if isinstance(written, dict) and written and written.keys() <= {QUOTE, name}:
        quote, value = written.get(QUOTE), written.get(name)
    if value is None:
        return None
    place = len(found)
    bare = _taken(value, cited["properties"][name], pointer, found)
    found.insert(place, Citation(pointer, quote if isinstance(quote, str) else "", bare))
    return bare


def _items(written: list[JSON], branches: list[Schema], pointer: str, found: list[Citation]) -> JSON:
    form = next((branch for branch in branches if branch.get("type") == "array"), None)
    if form is None:
        return written
    first = form.get("prefixItems", [])
    forms = [*first, *[form.get("items", {})] * max(0, len(written) - len(first))]
    return [_taken(item, forms[i], child(pointer, i), found) for i, item in enumerate(written)]


def _members(written: dict[str, JSON], branches: list[Schema], pointer: str, found: list[Citation]) -> JSON:
    """By the branch that names all of its properties; of those the first, which is enough to tell quotes."""
    objects = [branch for branch in branches if branch.get("type") == "object"]
    form = next((one for one in objects if written.keys() <= one.get("properties", {}).keys()), None)
    form = form or next(iter(objects), {})
    entries = [*form.get("patternProperties", {}).values(), form.get("additionalProperties", {})]
    entry: Schema = next((one for one in entries if isinstance(one, dict) and is_cited(one)), {})
    named = form.get("properties", {})
    return {name: _taken(part, named.get(name, entry), child(pointer, name), found) for name, part in written.items()}
