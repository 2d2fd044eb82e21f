"""What a person may have meant by a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_LISTED = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean 'term'?`, or which names there are."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=3):
        return f"; did you mean {' or '.join(map(repr, close))}?"
    listed = ", ".join(names[:_MOST_LISTED]) or "none"
    return f"; there are {listed}{', ...' if len(names) > _MOST_LISTED else '.'}"
