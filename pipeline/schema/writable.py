r"""A string's `pattern` as the user wrote it in, as llguidance has to be told it out: Python's meaning, texts we write.

A string is written with the escapes `\" \\ \n \t` alone, so no other control character can stand in it. llguidance
does not reckon with that: it drops such a character where a pattern wants one, and it takes a class with all control
characters, such as `[^"]`, for one that has the quote and the backslash too. So each class and each such character is
cut to what is written, and the whole text is held to it once more. To Python, which has the last word, `[`, `&&` and
`~~` in a class are plain characters, which are operators to llguidance, and what is not `\w`, `\d` or `\s` has none of
the letters, digits and spaces beyond ASCII either.
"""

from __future__ import annotations

import re

from pipeline.schema.intersect import Schema

_UNWRITTEN = r"\x00-\x08\x0b-\x1f\x7f"
_WRITTEN: Schema = {"pattern": f"^[^{_UNWRITTEN}]*$"}
_PIECE = re.compile(r"\\(?:x..|u.{4}|.)|(?P<open>\[\^?)(?P<inner>\]?(?:\\.|[^\]\\])*)\]|.", re.DOTALL)
"""An escape, a class, or any other character of a pattern that is valid in Python."""
_ALONE = re.compile(rf"[{_UNWRITTEN}]|\\(?:[rvfa]|x[01].|x7[fF]|u00[01].|u007[fF])")
"""A character outside of classes that is not written, or an escape of one."""
_BEYOND = {"w": r"\p{L}\p{N}", "d": r"\p{Nd}", "s": r"\p{Z}\x1c-\x1f\x85"}
"""What Python has in a class beyond what llguidance has, at least."""
_OPERATORS = ("[", "&", "~")
_IN_CLASS = re.compile(r"\\.|[\[&~]", re.DOTALL)


def writable(text: Schema) -> Schema:
    """Give a string node with `allOf` in place of its `pattern`, where it has one; all its texts can be written."""
    if "pattern" not in text:
        return text
    others = {key: value for key, value in text.items() if key != "pattern"}
    return {**others, "allOf": [{"pattern": _PIECE.sub(_cut, text["pattern"])}, _WRITTEN]}


def is_writable(text: Schema) -> bool:
    """False when `writable` cannot say a pattern: a class has `--`, a difference of sets to llguidance alone."""
    return not any("--" in (piece["inner"] or "") for piece in _PIECE.finditer(text.get("pattern", "")))


def _cut(piece: re.Match[str]) -> str:
    if not piece["open"]:
        return f"[{piece[0]}&&[^{_UNWRITTEN}]]" if _ALONE.fullmatch(piece[0]) else _without_beyond(piece[0])
    in_class = _with_beyond if piece["open"] == "[^" else _without_beyond
    inner = _IN_CLASS.sub(lambda found: in_class(found[0]), piece["inner"])
    return f"[{piece['open']}{inner}]&&[^{_UNWRITTEN}]]"


def _without_beyond(text: str) -> str:
    """One character or escape where it is wanted: no more than Python takes."""
    beyond = _BEYOND.get(text[1:].lower(), "") if text[1:].isupper() else ""
    return f"[{text}&&[^{beyond}]]" if beyond else _plain(text)


def _with_beyond(text: str) -> str:
    """One character or escape where it is not wanted: no less than Python takes."""
    return _plain(text) + _BEYOND.get(text[1:], "")


def _plain(text: str) -> str:
    return f"\\{text}" if text in _OPERATORS else text
