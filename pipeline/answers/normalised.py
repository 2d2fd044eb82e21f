"""Text as quotes are compared: what copying changes is folded away, and each folded character knows where it came from.

Folded away are white space, letter case, quotation marks, hyphens and dashes (but for those before a digit: -5,
2019-2020), Markdown, bullets, invisible characters, compatibility forms (ligatures, full width, presentation forms)
and the script of digits. Accents are kept, decomposed. White space goes altogether: it is as good as any line's end.

Source of the forms: Unicode Standard Annex 15, NFKD; case folding of the Unicode Standard, section 3.13.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

_DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_QUOTES = (
    "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u00ab\u00bb\u2039\u203a"
    "\u300c\u300d\u300e\u300f\uff02\uff07"
)
_MARKUP = "*_#|~\\\u2022\u2023\u25aa\u25cf\u25e6\u00b7\u0640"
"""Markdown, bullets, and the Arabic tatweel, which only makes a word longer."""
_NOTHING = frozenset(_QUOTES + _MARKUP)
_JOINING = re.compile(rf"[{_DASHES}](?![\s*_`~>]*\d)|^[ \t>]*>", re.MULTILINE)
"""Dashes that are no sign and no range of numbers, and what begins a quoted line in Markdown."""
_SOFT_HYPHEN = "\u00ad"
_LAST_ACCENT = 0x1F000


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text.

    Attributes:
        text: The folded characters.
        origins: For each of them the index of the character that it came from, int32, never decreasing.
    """

    text: str
    origins: NDArray[np.int32]


def fold(text: str) -> Folded:
    """Fold a text and keep where each character came from; takes time in proportion to the text."""
    blanked = _blank(text)
    table = {ord(char): _fold_character(char) for char in set(blanked)}
    codes = np.frombuffer(blanked.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    widths = np.ones(max(table, default=0) + 1, dtype=np.uint8)
    for code, folded in table.items():
        widths[code] = len(folded)
    origins = np.repeat(np.arange(len(codes), dtype=np.int32), widths[codes])
    return Folded(_in_order(blanked.translate(table)), origins)


def fold_text(text: str) -> str:
    """The folded characters alone, as `fold` gives them."""
    return _in_order("".join(map(_fold_character, _blank(text))))


def is_folded_away(char: str) -> bool:
    """Whether nothing is left of a character that is not white space: a quotation mark, a dash, Markdown."""
    return not char.isspace() and (char in _DASHES or char == ">" or not _fold_character(char))


def _blank(text: str) -> str:
    return _JOINING.sub(lambda match: _SOFT_HYPHEN * len(match[0]), text)


def _in_order(folded: str) -> str:
    """Accents on one letter in their canonical order, which changes no length: all is decomposed already.

    Many on one letter are sorted first: `normalize` takes time in proportion to the square of their number.
    """
    if folded.isascii():
        return folded
    sorted_runs = _accents().sub(lambda run: "".join(sorted(run[0], key=unicodedata.combining)), folded)
    return unicodedata.normalize("NFD", sorted_runs)


@cache
def _accents() -> re.Pattern[str]:
    """More characters that have an order among themselves than any letter has."""
    accents = (char for char in map(chr, range(0x300, _LAST_ACCENT)) if unicodedata.combining(char))
    return re.compile(f"[{''.join(accents)}]{{32,}}")


@lru_cache(maxsize=8192)
def _fold_character(char: str) -> str:
    if char in _NOTHING or char == _SOFT_HYPHEN or unicodedata.category(char) in ("Cf", "Cc"):
        return ""
    if char in _DASHES:
        return "-"
    if (digit := unicodedata.decimal(char, None)) is not None:
        return str(digit)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(part for part in folded if not part.isspace() and part not in _NOTHING)
