"""Numbers in Chinese characters, also beside digits: 三百五十万, 二〇二〇, 3億5000万, 1.5万, 元 as the first year.

See https://en.wikipedia.org/wiki/Chinese_numerals; 万, 億 and 兆 go up by four digits each.
"""

from __future__ import annotations

import re

from pipeline.answers.agreement.amounts import Amount, amount, scaled, total

_DIGITS = {
    **dict(zip("〇一二三四五六七八九", range(10), strict=True)),
    **dict(zip("零壹贰叁肆伍陆柒捌玖", range(10), strict=True)),
    **dict(zip("貳參陸", (2, 3, 6), strict=True)),
    **dict(zip("弐参伍", (2, 3, 5), strict=True)),
    **{"两": 2, "兩": 2, "○": 0},
}
_TENS = {"十": 1, "拾": 1, "百": 2, "佰": 2, "千": 3, "仟": 3}
_GROUPS = {"万": 4, "萬": 4, "亿": 8, "億": 8, "兆": 12}
_SCALES = _TENS | _GROUPS
_PLAIN = "".join(_DIGITS)

_ANY = f"0-9.,{_PLAIN}{''.join(_SCALES)}"
RUN = re.compile(f"(?<![0-9.,])[0-9.,]*[{_PLAIN}{''.join(_SCALES)}][{_ANY}]*")
"""What may be one number: characters of numbers, at least one of them Chinese."""
_PIECE = re.compile(rf"([0-9][0-9,]*(?:\.[0-9]+)?|[{_PLAIN}])|([{''.join(_SCALES)}])")
_PLAIN_ONLY = re.compile(f"[{_PLAIN}]+")
_DATE_PART = re.compile(f"([{_PLAIN}十]{{1,4}}|元)(?=[年月日号號])")
_LONGEST = 60
"""Characters of a number that somebody wrote."""


def parse(run: str) -> Amount | None:
    """Give the number that a run of characters is; None when it is none, such as 万 alone."""
    run = run.strip(".,")
    if not run or len(run) > _LONGEST or run[0] in _GROUPS:
        return None
    if _PLAIN_ONLY.fullmatch(run):
        return amount("".join(str(_DIGITS[char]) for char in run))
    return _parse_scaled(run)


def is_certain(run: str) -> bool:
    """Whether the run is a number and no word that is written like one (一, 十分, 千万)."""
    return any(char in _SCALES for char in run) and any(_DIGITS.get(char, 0) > 0 or char.isascii() for char in run)


def date_parts_to_digits(words: str) -> str:
    """Write the years, months and days that are in Chinese characters with digits: 二〇二〇年一月五日."""
    return _DATE_PART.sub(_digits_of, words) if "月" in words else words


def _digits_of(match: re.Match[str]) -> str:
    found = amount("1") if match[1] == "元" else parse(match[1])
    return match[1] if found is None else str(int(found[1] or 0) * 10 ** found[2])


def _parse_scaled(run: str) -> Amount | None:
    """Add up digits times tens, and what stands before 万, 億 or 兆 as a whole."""
    groups: list[Amount] = []
    tens: list[Amount] = []
    last: Amount | None = None
    position = 0
    for match in _PIECE.finditer(run):
        if match.start() != position:
            return None
        position = match.end()
        number, scale = match.groups()
        if number:
            if last is not None and last[1]:
                return None
            last = _plain(number)
        elif scale in _TENS:
            tens.append(scaled(last or amount("1"), _TENS[scale]))
            last = None
        else:
            groups.append(scaled(total([*tens, *([last] if last else [])]), _GROUPS[scale]))
            tens, last = [], None
    return total([*groups, *tens, *([last] if last else [])]) if position == len(run) else None


def _plain(number: str) -> Amount:
    if number in _DIGITS:
        return amount(str(_DIGITS[number]))
    whole, _, decimals = number.replace(",", "").partition(".")
    return amount(whole + decimals, -len(decimals))
