"""Numbers that stand in words as digits, under every reading that somebody may have meant.

1,234.56 and 1.234,56, grouped by spaces, apostrophes or in the Indian way; digits of any script; signs and parentheses;
percent; scale words (million, Mrd., lakh, 億, مليون); 3億5000万. Linear in the words, whatever they hold.
"""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from pipeline.answers.agreement import hanzi
from pipeline.answers.agreement.amounts import Amount, Amounts, amount, negated, scaled, total
from pipeline.answers.agreement.scales import HUNDREDS, PERCENT_STARTS, PERCENTS, SCALES, UNSURE

_MAX_DIGITS = 400
"""Longer runs of digits are no amounts; comparing them would take long."""

_NUMBER = re.compile(
    r"(?P<n>\d+(?:[.,'’٬٫·]\d+| (?=\d{3}(?!\d))\d+)*)(?:[eE](?P<e>[+-]?\d{1,3})(?![\w.]))?"
    r"\)?[ -]?(?P<unit>%|‰|٪|[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u0900-\u0903\u093a-\u094f])*)?"
)
_SIGN = re.compile(r"(?:(?:^|[\s(\[:;=$€£¥₹\u2e80-\uffff])[-−–]|−)[ \t]?[^\w\s(]?$")
_SIGN_WORD = re.compile(
    r"(?:minus|negative|moins|menos|meno|minder|минус|سالب|मानफी|ऋण|マイナス|负|負|▲|△)\s*[^\w\s]?$", re.I
)
_MAY_BE_NEGATIVE = re.compile(r"[-−–▲△负負]|min|neg|moins|meno|минус|سالب|मानफी|ऋण|マイナス", re.I)
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2008\u2009\u200a\u202f\u2002\u2003\u3000\t\n\r", " "))
_WIDE = str.maketrans({chr(0xFF01 + offset): chr(0x21 + offset) for offset in range(94)})
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_SEPARATOR = re.compile(r"[^0-9]")


def fold_digits(words: str) -> str:
    """Write the digits of every script as 0 to 9, and every space as a plain one; each character stays one."""
    if words.isascii():
        return words.translate(_SPACES) if "\n" in words or "\t" in words else words
    words = words.translate(_SPACES).translate(_WIDE)
    return _OTHER_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), words)


def read_numerals(words: str) -> Amounts:
    """Give the numbers that are written with digits or Chinese characters.

    Args:
        words: As `fold_digits` gives them.
    """
    found = _Found(has_signs=_MAY_BE_NEGATIVE.search(words) is not None)
    if not words.isascii():
        found.has_percent = "百分之" in words
        for match in hanzi.RUN.finditer(words):
            _add_hanzi(words, match, found)
    for match in _NUMBER.finditer(words):
        _add_number(words, match, found)
    return found.build()


@dataclass(slots=True)
class _Found:
    """What was read so far: numbers without a scale wait until it is known which scales the words have."""

    said: set[Amount] = field(default_factory=set)
    possible: set[Amount] = field(default_factory=set)
    bare: set[Amount] = field(default_factory=set)
    exponents: set[int] = field(default_factory=set)
    has_signs: bool = False
    has_percent: bool = False
    is_certain: bool = False
    group_end: int = -1
    group: list[Amount] = field(default_factory=list)

    def build(self) -> Amounts:
        """Give all, the bare numbers also with the scales that stand elsewhere in the words: "5 to 6 million"."""
        exponents = self.exponents | ({-2} if self.has_percent else set())
        self.possible.update(scaled(number, exponent) for number in self.bare for exponent in exponents)
        self.possible.update([negated(number) for number in self.said | self.bare if not number[0]])
        return Amounts(frozenset(self.said | self.bare), frozenset(self.possible), self.is_certain)


def _add_number(words: str, match: re.Match[str], found: _Found) -> None:
    text, unit = match["n"], match["unit"]
    before = words[max(0, match.start() - 12) : match.start()]
    if len(text) > _MAX_DIGITS:
        found.is_certain = True
        return
    readings = _readings(text, before)
    if match["e"]:
        readings = {scaled(reading, int(match["e"])) for reading in readings}
    readings = _signed(readings, before, may_be_negative=found.has_signs)
    found.is_certain |= not before[-1:].isalpha() or ord(before[-1]) > 0x2E80
    if len(text) == 2 and before[-1:] in ("/", "-", "'", "’", "–", "."):
        found.possible |= {amount("19" + text), amount("20" + text)}
    _add_scaled(match, _scales(unit) if unit else (), readings, found)


def _add_scaled(match: re.Match[str], exponents: tuple[int, ...], readings: set[Amount], found: _Found) -> None:
    """Add a number with its unit, and with the larger numbers right before it: 2 lakh 50 thousand."""
    unit = match["unit"]
    if unit and _is_percent(unit, match.string[match.end() : match.end() + 8]):
        found.said |= readings | {scaled(reading, -2) for reading in readings}
        found.has_percent = True
    elif not exponents:
        found.bare |= readings
    else:
        for exponent in exponents:
            found.said |= {scaled(reading, exponent) for reading in readings}
        found.exponents |= set(exponents)
        (found.said if unit in UNSURE or exponents[0] < 0 else found.possible).update(readings)
    if exponents:
        _add_group(match, exponents[0], readings, found)


def _add_group(match: re.Match[str], exponent: int, readings: set[Amount], found: _Found) -> None:
    if match.start() - found.group_end > 1 or len(found.group) > 3:
        found.group = []
    found.group.append(scaled(max(readings, key=lambda one: len(one[1]) + one[2]), exponent))
    found.group_end = match.end()
    if len(found.group) > 1:
        found.said.add(total(found.group))


def _is_percent(unit: str, after: str) -> bool:
    folded = unit.casefold()
    return folded in PERCENTS or (folded in PERCENT_STARTS and after.lstrip().casefold().startswith(HUNDREDS))


def _scales(unit: str) -> tuple[int, ...]:
    """The powers of ten that a unit stands for; () when it is none. Characters without spaces: its first one."""
    folded = unicodedata.normalize("NFC", unit.casefold()) if not unit.isascii() else unit.lower()
    return SCALES.get(folded) or ((SCALES.get(folded[0], ())) if ord(folded[0]) > 0x2E80 else ())


def _signed(readings: set[Amount], before: str, *, may_be_negative: bool) -> set[Amount]:
    if not before or before[-1].isalnum():
        return readings
    if may_be_negative and (_SIGN.search(before) or _SIGN_WORD.search(before)):
        return {negated(reading) for reading in readings}
    return readings | {negated(reading) for reading in readings} if "(" in before[-3:] else readings


def _readings(text: str, before: str) -> set[Amount]:
    """Every number that digits with separators may be."""
    if text.isdecimal():
        is_decimals = before.endswith((".", ",")) and not before[-2:-1].isalnum()
        return {amount(text, -len(text)), amount(text)} if is_decimals else {amount(text)}
    groups = _SEPARATOR.split(text)
    separators = _SEPARATOR.findall(text)
    readings: set[Amount] = set()
    joined = "".join(groups)
    if _is_grouped(groups, separators):
        readings.add(amount(joined))
    if separators[-1] in ".,٫·" and separators[-1] not in separators[:-1] and _is_grouped(groups[:-1], separators[:-1]):
        readings.add(amount(joined, -len(groups[-1])))
    if " " in separators:
        for part in text.split(" "):
            readings |= _readings(part, "")
    return readings or {amount(group) for group in groups}


def _is_grouped(groups: list[str], separators: list[str]) -> bool:
    """Whether one kind of separator cuts a whole number into groups of three, of four, or in the Indian way."""
    if not separators:
        return True
    if len(set(separators)) > 1 or len(groups[0]) > 4:
        return False
    sizes = {len(group) for group in groups[1:-1]}
    last = len(groups[-1])
    return (last == 3 and (sizes <= {3} or sizes == {2})) or (last == 4 and sizes <= {4})


def _add_hanzi(words: str, match: re.Match[str], found: _Found) -> None:
    number = hanzi.parse(match[0])
    if number is None or words.startswith("分之", match.end()):
        return
    if words[max(0, match.start() - 1) : match.start()] in ("负", "負"):
        number = negated(number)
    found.said.add(number)
    if words[max(0, match.start() - 3) : match.start()] == "百分之":
        found.said.add(scaled(number, -2))
        found.is_certain = True
    found.is_certain |= hanzi.is_certain(match[0])
