"""Whole numbers that are written as words: a value is put into words in each language, and looked for.

num2words writes the numbers of eleven languages; Hindi has a table of its own. A run of words that are numbers is
compared as a whole, so "two hundred and fifty" is not 200. Ordinals count as their numbers.
"""

# ruff: noqa: RUF001, SIM905 - letters that look like others are what this is about, and words are read as lines

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import chain

from pipeline.answers.agreement import hindi_numbers
from pipeline.answers.agreement.folding import fold, split_words

Phrase = tuple[str, ...]

_LANGUAGES = ("en", "fr", "de", "es", "it", "pt", "nl", "ar", "ru", "pl", "tr")
_LARGEST = 10**15
_NUMBERS = (
    *range(101),
    *range(200, 1000, 100),
    1000,
    2000,
    5000,
    *(n * 10**zeros for zeros in (6, 9) for n in (1, 2, 5)),
)
"""Whose words are all the words that numbers have."""
_JOINING = frozenset("and et y e und en i ve و".split())
"""Words between the parts of a number; none of them is a part."""
_PARTS = ("hundert", "tausend", "honderd", "duizend", "cento", "mila", "yuz", "zehn", "zig", "anta", "enta")
"""What numbers have in them that are one long word."""
_EVERYDAY = frozenset(
    "on once due dos bin ten sei elf sept cent second seconda secondo seconds null nul neuf tri tre un une uno una um "
    "uma ein eine einer een one eins mil alti do bes sex otto sto dwa trois tres nove sete acht uc yedi dort zero "
    "nol der die das premier prima primo quart quarta quarto quinta septima octava tercera primera segundo segunda set "
    "centre واحد احد احدی ثانی اول один одна одно jeden jedna".split()
)
"""Number words that are other words, too, in the same or another language: they can agree, never disagree."""
_TAKEN = frozenset({("on",), ("once",), ("due",), ("dos",), ("sex",)})
"""Numbers of one language that are among the most frequent words of another: they say nothing alone."""
_ENDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "de": {"eins": ("ein", "eine", "einen", "einem", "einer", "eines"), "te": ("ten", "ter", "tes", "tem")},
    "fr": {"un": ("une",), "premier": ("premiere",), "ieme": ("iemes",)},
    "es": {"uno": ("un", "una"), "o": ("a", "")},
    "it": {"uno": ("un", "una"), "o": ("a",)},
    "pt": {"um": ("uma",), "dois": ("duas",), "o": ("a",)},
    "ru": {
        "один": ("одна", "одно", "одного", "одной"), "два": ("две", "двух"), "три": ("трех",), "четыре": ("четырех",),
        "десят": ("десяти",), "ь": ("и",), "ыи": ("ая", "ое", "ого", "ом", "ую", "ои"),
        "ии": ("ье", "ья", "ьего"), "ои": ("ая", "ое", "ого", "ую"),
    },
    "pl": {"dwa": ("dwie", "dwoch"), "y": ("a", "e", "ego"), "i": ("ia", "ie", "iego"), "trzy": ("trzech",)},
    "ar": {"ة": ("",), "ون": ("ین",), "ان": ("ین", "تان")},
}  # fmt: skip
"""How the last word of a number may end otherwise, by how it ends in num2words; folded."""


def say_number(value: int, words: str) -> bool | None:
    """Tell whether the words say a whole number in words.

    Args:
        value: Any whole number.
        words: Words of a document, in any language.

    Returns:
        True when they say this one, False when they say others and surely not this one, None when they hold no number
        in words that is known for sure.
    """
    is_other = False
    for run, languages in _iter_runs(words):
        if run in _TAKEN:
            continue
        if hindi_numbers.NAME in languages:
            if (said := hindi_numbers.parse(run)) == value:
                return True
            is_other |= said is not None and hindi_numbers.is_certain(run)
        if any(run in _phrases(value, language) for language in languages if language != hindi_numbers.NAME):
            return True
        is_other |= any(word in _cardinals() for word in run)
    return False if is_other else None


def _iter_runs(words: str) -> Iterator[tuple[Phrase, frozenset[str]]]:
    """Give each run of number words, without what joins them, and the languages that have all of them."""
    run: list[str] = []
    languages: frozenset[str] = frozenset()
    for word in split_words(fold(words)):
        if word in _JOINING:
            continue
        part, of_part = _known(word)
        if run and not (languages & of_part):
            yield tuple(run), languages
            run = []
        if of_part:
            languages = languages & of_part if run else of_part
            run.append(part)
    if run:
        yield tuple(run), languages


def _known(word: str) -> tuple[str, frozenset[str]]:
    """Give a number word as it stands in phrases, and its languages; none for any other word."""
    vocabulary = _vocabulary()
    if found := vocabulary.get(word):
        return word, found
    if word[0] == "و" and (found := vocabulary.get(word[1:])):
        return word[1:], found
    if len(word) > 8 and any(part in word for part in _PARTS):
        return word, frozenset({"de", "nl", "it", "tr"})
    return word, frozenset()


@cache
def _cardinals() -> frozenset[str]:
    """The words that only a cardinal number has: a third party does not say that something is three."""
    words = {word for language in _LANGUAGES for number in _NUMBERS[2:] for word in _say(number, language)}
    return frozenset(words - _EVERYDAY - _JOINING)


@cache
def _vocabulary() -> dict[str, frozenset[str]]:
    """The languages of each word that numbers are made of."""
    found: dict[str, set[str]] = {word: {hindi_numbers.NAME} for word in hindi_numbers.WORDS}
    for language in _LANGUAGES:
        for number in _NUMBERS:
            for word in chain.from_iterable(_phrases(number, language) if number <= 31 else (_say(number, language),)):
                found.setdefault(word, set()).add(language)
    return {word: frozenset(languages) for word, languages in found.items() if word not in _JOINING}


@lru_cache(maxsize=4096)
def _phrases(value: int, language: str) -> frozenset[Phrase]:
    """Give a number in words, as a cardinal, an ordinal and a year, with the endings of genders and cases."""
    if not 0 <= value < _LARGEST:
        return frozenset()
    phrases = {_say(value, language), _say(value, language, "year") if 1000 < value < 2100 else ()}
    if value < 10**6:
        phrases.add(_say(value, language, "ordinal"))
    endings = _ENDINGS.get(language, {})
    for phrase in [phrase for phrase in phrases if phrase]:
        for end, others in endings.items():
            if phrase[-1].endswith(end):
                phrases |= {(*phrase[:-1], phrase[-1].removesuffix(end) + other) for other in others}
        if language == "en" and phrase[0] == "one":
            phrases.add(phrase[1:])  # a thousand
    return frozenset(phrase for phrase in phrases if phrase and phrase[-1])


@lru_cache(maxsize=4096)
def _say(value: int, language: str, form: str = "cardinal") -> Phrase:
    """Let num2words write a number; () where it cannot write it in this language and form."""
    from num2words import num2words

    try:
        text = num2words(value, lang=language, to=form)
    except (NotImplementedError, IndexError, ValueError, KeyError, TypeError, OverflowError):
        return ()  # what its languages raise for numbers that they have no word for
    return tuple(word for word in split_words(fold(text)) if word not in _JOINING)
