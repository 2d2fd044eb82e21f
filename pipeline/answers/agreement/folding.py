"""Words as they are compared: letter case, accents and the marks of vowels in Arabic and Hebrew do not count."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import re
import unicodedata

_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670\u093c\u200c-\u200f]")
_WORD = re.compile(
    r"(?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f\u0955-\u0957\u0962\u0963\u0980-\u0983\u09bc-\u09cd\u0e31-\u0e4e])+"
)
_ALIKE = str.maketrans({"ı": "i", "ي": "ی", "ى": "ی", "ك": "ک", "أ": "ا", "إ": "ا", "آ": "ا", "ँ": "ं"})
_BREAKS = re.compile(r"[\s_‐-―−-]+")
_QUOTES = str.maketrans(dict.fromkeys("‘’‚‛`´ʼ′", "'") | dict.fromkeys("“”„‟«»″", '"'))


def fold(text: str) -> str:
    """Give the text without case, accents and vowel marks; its length may change."""
    if text.isascii():
        return text.lower()
    bare = _MARKS.sub("", unicodedata.normalize("NFD", text.casefold()))
    return unicodedata.normalize("NFC", bare).translate(_ALIKE)


def split_words(folded: str) -> list[str]:
    """Give the words, letters with the vowel signs that belong to them, in order."""
    return _WORD.findall(folded)


def iter_words(folded: str) -> list[tuple[int, int, str]]:
    """Give (start, end, word) of each word, in order."""
    return [(match.start(), match.end(), match[0]) for match in _WORD.finditer(folded)]


def fold_phrase(text: str) -> str:
    """Give a phrase in which neither case nor accents, white space, dashes, underscores or the kind of quotes count."""
    wide = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return _BREAKS.sub(" ", fold(wide)).strip()
