"""May words say a number that was not read in them? Asked before a number is said to disagree: a doubt is enough.

Thousands that only the head of a table names; lengths of time in another unit; fractions; months by name; digits with
gaps, as in identifiers; words such as dozen, both and free.
"""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import re
from fractions import Fraction
from itertools import permutations

from pipeline.answers.agreement.amounts import Amount, Amounts, scaled
from pipeline.answers.agreement.folding import fold
from pipeline.answers.agreement.months import find_months
from pipeline.answers.agreement.number_words import say_number

_SCALES = (3, 6, 9, -3, -6, -9)
"""What the head of a table, or the schema, may count in."""
_SMALL_SCALES = (-2, -4)
"""Percent and basis points, which make no whole numbers."""
_FACTORS = (3, 4, 7, 12, 24, 30, 52, 60, 90, 360, 365, 1440, 3600)
"""Of one unit of time in another, or nearly."""
_MOST_NUMBERS = 8
_MOST_DIGITS = 18
_FRACTION = re.compile(
    r"[¼-¾⅐-⅞]|\d\s?[/⁄∕]\s?\d|半|\b(?:half|halves|thirds?|quarters?|fifths?|eighths?|tenths?|halb|halft|drittel|viertel"
    r"|demi|moitie|tiers|quarts?|medi[oa]|mitad|terci|cuart|mezz|meta|terz|mei[oa]|metade|terc|helft|kwart|anderthalb"
    r"|половин|полтор|трет|четверт|pol|yarim|ceyrek|आध|ड[ेे]ढ|ढाई|نصف|ثلث|ربع)"
)
_TIME = re.compile(
    r"\b(?:years?|annum|months?|weeks?|fortnights?|days?|hours?|hrs?|minutes?|min|quarters?|jahr|monat|woche|tage?n?\b"
    r"|stund|std|quartal|ans?\b|annees?|mois|semaine|jour|heure|trimestre|ano|mes|semana|dia|hora|anni|anno|mesi"
    r"|settiman|giorn|or[ae]\b|jaar|maand|we[ek]k|dag|uur|лет|год|месяц|недел|дн|ден|час|минут|lata?\b|rok|miesi|tygod"
    r"|dni|dzien|yil|ay\b|hafta|gun|saat|वर्ष|साल|महीन|माह|दिन|घंट|سن|عام|شهر|اشهر|یوم|ایام|اسبوع|ساع)"
    r"|(?<=\d)\s?(?:h|d|w|m|y|yrs?|mos?)\b|[年月周週日天时時]|[년월주일]|\d:\d\d"
)
_NOTHING = re.compile(
    r"\b(?:no|none|not|nil|never|without|free|waive|kein|ohne|nicht|null|aucun|sans|pas|gratuit|sin|ningun|gratis|nessun"
    r"|senza|nenhum|sem|geen|zonder|нет|без|не\b|brak|bez|nie|yok|कोई नहीं|बिना|لا|دون|بدون)|[無无免没沒]|없"
)
_COUNTS = (
    (1, re.compile(r"\b(?:single|sole|only|once|einzig|einmal|unique|unico|seul)")),
    (
        2,
        re.compile(
            r"\b(?:both|couple|pair|twice|double|bi-?\w*(?:al|ly)\b|semi|beid|paar|doppelt|amb[oi]s|entramb|deux)"
        ),
    ),
    (3, re.compile(r"\b(?:triple|thrice|trio|dreifach|dreimal)")),
    (14, re.compile(r"\b(?:fortnight|quinzaine)")),
)
_DOZEN = re.compile(r"\b(?:dozen|dutzend|douzaine|docena|dozzina|duzia|dozijn|дюжин|tuzin|duzine)")


def may_say(wanted: Amount, words: str, found: Amounts) -> bool:
    """Whether words may say a number all the same.

    Args:
        wanted: The number.
        words: As `numerals.fold_digits` gives them.
        found: The numbers that were read in them, of which it is none.
    """
    scales = _SCALES if _is_whole(wanted) else (*_SCALES, *_SMALL_SCALES)
    if any(scaled(number, exponent) == wanted for number in found.said for exponent in scales):
        return True
    if abs(wanted[2]) + len(wanted[1]) > _MOST_DIGITS:
        return False
    folded = fold(words)
    number = _fraction(wanted)
    if number.denominator > 1 and _FRACTION.search(folded):
        return True
    is_word = number.denominator == 1 and _is_word(int(number), folded)
    return is_word or _has_gaps(wanted, words) or _is_length(number, folded, found)


def _is_whole(found: Amount) -> bool:
    return found[2] >= 0


def _fraction(found: Amount) -> Fraction:
    number = Fraction(int(found[1] or 0)) * Fraction(10) ** found[2]
    return -number if found[0] else number


def _is_word(number: int, folded: str) -> bool:
    """Whether there is a word for the number that is none of a number's own."""
    if not number:
        return _NOTHING.search(folded) is not None
    if number in (6, 12, 24, 36, 48) and _DOZEN.search(folded):
        return True
    if any(number == count and word.search(folded) for count, word in _COUNTS):
        return True
    return 1 <= number <= 12 and any(number in months for _, _, months, _ in find_months(folded))


def _has_gaps(wanted: Amount, words: str) -> bool:
    """Whether its digits stand there with no other digit between them: (212) 555-0100, 4€99, SN12-3456."""
    digits = wanted[1] + "0" * max(0, wanted[2])
    if len(digits) < 3:
        return False
    gap = "[^\\w,]{0,3}" if len(digits) > 6 else "[^\\w.,]{0,3}[€$£h]?[^\\w.,]{0,2}"
    end = "0*" if wanted[2] < 0 else ""
    return re.search(f"(?<!\\d){gap.join(digits)}{end}(?!\\d)", words) is not None


def _is_length(number: Fraction, folded: str, found: Amounts) -> bool:
    """Whether it is a length of time of the words in another unit, or two of them together: 2 hours 30 minutes."""
    if not _TIME.search(folded):
        return False
    parts = [_fraction(one) for one in sorted(found.said) if abs(one[2]) + len(one[1]) < _MOST_DIGITS][:_MOST_NUMBERS]
    if any(number in (part * factor, part / factor) for part in parts for factor in _FACTORS):
        return True
    for factor in _FACTORS:
        if any(number in (a * factor + b, a + b / factor) for a, b in permutations(parts, 2)):
            return True
        for said in (number * factor, number / factor):
            if said.denominator == 1 and 0 < said < 10**6 and say_number(int(said), folded):
                return True
    return False
