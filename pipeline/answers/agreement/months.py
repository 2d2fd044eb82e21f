"""The names of the months in some fifty languages, from the Unicode CLDR by way of Babel."""

# ruff: noqa: SIM905 - a list of words is read as a line

from __future__ import annotations

from functools import cache

from pipeline.answers.agreement.folding import fold, iter_words, split_words

_LOCALES = (
    "en fr de es it pt nl pl ru uk tr ar ar_LB ar_MA fa he hi sv da nb fi cs sk hu ro bg el hr sr_Latn sl lt lv et id "
    "ms th bn ur ca eu is ga sq mk az kk ka hy ta mr ne sw".split()
)
_FORMS = [(context, width) for context in ("format", "stand-alone") for width in ("wide", "abbreviated")]
_EVERYDAY = frozenset(("out", "ago", "set", "mar", "as", "i", "ii", "iii", "iv", "vi", "vii", "ix", "xi", "xii"))
_PREFIXES = frozenset("בלמהוכ")
"""Letters that Hebrew writes together with the word that follows."""

Month = tuple[int, int, frozenset[int], bool]
"""(start, end, the months it may be, whether it is the name of a month for sure); characters of the folded words."""


def find_months(folded: str) -> list[Month]:
    """Find the names of months, wide or abbreviated, in folded words, in order."""
    names = _names()
    words = iter_words(folded)
    found: list[Month] = []
    for index, (start, end, word) in enumerate(words):
        name = (word,) if (word,) in names else (word[1:],)
        if name in names and (name[0] == word or word[0] in _PREFIXES):
            found.append((start, end, names[name], word not in _EVERYDAY))
        elif index + 1 < len(words) and (word, words[index + 1][2]) in names:
            found.append((start, words[index + 1][1], names[word, words[index + 1][2]], True))
    return found


@cache
def _names() -> dict[tuple[str, ...], frozenset[int]]:
    """The months that each name may be, by its one or two words; some are different months in different languages."""
    from babel import Locale

    found: dict[tuple[str, ...], set[int]] = {}
    for identifier in _LOCALES:
        months = Locale.parse(identifier).months
        for context, width in _FORMS:
            for month, name in months[context][width].items():
                words = tuple(split_words(fold(name)))
                if 0 < len(words) <= 2 and len("".join(words)) > 1:
                    found.setdefault(words, set()).add(month)
    for name, month in {"sept": 9, "febr": 2, "mrz": 3, "agst": 8, "febuary": 2}.items():
        found.setdefault((name,), set()).add(month)
    return {words: frozenset(months) for words, months in found.items()}
