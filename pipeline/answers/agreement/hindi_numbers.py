"""Hindi numbers in words, which follow no rule up to a hundred."""

# ruff: noqa: SIM905 - a list of words is read as a line

from __future__ import annotations

from pipeline.answers.agreement.folding import fold

NAME = "hi"
_TO_HUNDRED = (
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह "
    "बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस इक्कीस बाईस तेईस "
    "चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस "
    "छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चवालीस पैंतालीस छियालीस सैंतालीस "
    "अड़तालीस उनचास पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ "
    "साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर "
    "बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी "
    "चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे "
    "छियानवे सत्तानवे अट्ठानवे निन्यानवे"
).split()
_OTHERS = {
    "छः": 6,
    "छ": 6,
    "पन्द्रह": 15,
    "पहला": 1,
    "पहली": 1,
    "दूसरा": 2,
    "दूसरी": 2,
    "तीसरा": 3,
    "तीसरी": 3,
    "चौथा": 4,
    "चौथी": 4,
}
_SMALL = {fold(word): number for number, word in enumerate(_TO_HUNDRED)} | {
    fold(word): number for word, number in _OTHERS.items()
}
_SCALES = {
    fold(word): scale for word, scale in {"सौ": 10**2, "हज़ार": 10**3, "लाख": 10**5, "करोड़": 10**7, "अरब": 10**9}.items()
}
_EVERYDAY = {fold(word) for word in "एक दो सौ नौ छ".split()}
WORDS = frozenset(_SMALL) | frozenset(_SCALES)
"""All words of numbers, folded."""


def parse(run: tuple[str, ...]) -> int | None:
    """Give the number that folded words say together; None when they do not say one, or only a word like "a"."""
    whole = part = 0
    for word in run:
        if word in _SMALL:
            part += _SMALL[word]
        elif word in _SCALES:
            part = (part or 1) * _SCALES[word]
            if _SCALES[word] > 100:
                whole, part = whole + part, 0
        else:
            return None
    return whole + part if run else None


def is_certain(run: tuple[str, ...]) -> bool:
    """Whether the words are a number for sure: "एक" is also "a"."""
    return len(run) > 1 or run[0] not in _EVERYDAY
