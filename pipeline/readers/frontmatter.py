"""YAML front matter: the block between two `---` lines at the head of a text.

In: clean text. Out: its entries as (name, value) strings, and the text after it. Front matter that is not a YAML
mapping stays in the text.
"""

from __future__ import annotations

import json

import yaml  # type: ignore[import-untyped]

_MAX_CHARS = 1 << 16


class _PlainLoader(yaml.BaseLoader):  # type: ignore[misc]
    """All scalars stay strings (a date stays as written), and aliases are refused: they can make a small file huge."""

    def compose_node(self, parent: yaml.Node, index: int) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("front matter with aliases is left as text")
        return super().compose_node(parent, index)


def split_front_matter(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Split a text into its front matter and the rest.

    Returns:
        Entries in their order, lists joined by ", ", deeper values as JSON; and the text after the closing line. No
        entries and the whole text when there is no front matter, or it is longer than 65,536 characters or not a
        mapping; in that last case the entry `front_matter` says so.
    """
    if not text.startswith("---\n"):
        return (), text
    end = text.find("\n---", 3, _MAX_CHARS)
    line_end = text.find("\n", end + 1) if end >= 0 else -1
    closing = text[end + 1 : line_end if line_end >= 0 else len(text)] if end >= 0 else ""
    if closing.rstrip() != "---":
        return (), text
    try:
        value = yaml.load(text[4 : end + 1], Loader=_PlainLoader)
    except (yaml.YAMLError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return (("front_matter", "not readable as YAML, left in the text"),), text
    body = text[line_end + 1 :] if line_end >= 0 else ""
    return tuple((str(name), _flat(entry)) for name, entry in value.items()), body


def _flat(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
