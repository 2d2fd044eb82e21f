"""A number as a sign, digits and a power of ten: what a value and the words of a document are compared by.

Two amounts are equal exactly when their numbers are, whatever their size: no arithmetic is done on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

Amount = tuple[bool, str, int]
"""(is_negative, digits without zeros at either end, exponent of ten of the last digit); zero is (False, "", 0)."""

_PLAIN = 10**18


def amount(digits: str, exponent: int = 0, *, is_negative: bool = False) -> Amount:
    """Give the amount of ASCII digits times ten to the power of the exponent."""
    stripped = digits.lstrip("0")
    core = stripped.rstrip("0")
    return (is_negative, core, exponent + len(stripped) - len(core)) if core else (False, "", 0)


def amount_of(value: float | Decimal) -> Amount | None:
    """Give the amount of a value, a float by the shortest digits that mean it; None for infinities and NaN."""
    if isinstance(value, int) and -_PLAIN < value < _PLAIN:
        return amount(str(abs(value)), is_negative=value < 0)
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    sign, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        return None
    return amount("".join(map(str, digits)), exponent, is_negative=bool(sign))


def scaled(found: Amount, exponent: int) -> Amount:
    """Give an amount times ten to the power of `exponent`."""
    return (found[0], found[1], found[2] + exponent) if found[1] else found


def negated(found: Amount) -> Amount:
    """Give the amount with the other sign; zero has none."""
    return (not found[0], found[1], found[2]) if found[1] else found


def total(parts: Iterable[Amount]) -> Amount:
    """Add amounts, each of fewer than a thousand digits and a small exponent."""
    pairs = [(-int(core or 0) if is_negative else int(core or 0), exponent) for is_negative, core, exponent in parts]
    least = min((exponent for _, exponent in pairs), default=0)
    found = sum(digits * 10 ** (exponent - least) for digits, exponent in pairs)
    return amount(str(abs(found)), least, is_negative=found < 0)


@dataclass(frozen=True, slots=True)
class Amounts:
    """The numbers that words hold.

    Attributes:
        said: Under some reading the words say this number.
        possible: They would if a sign, a unit or a century stood where it does not.
        is_certain: Whether a number stands there for sure, and not just a word or a name that has one in it.
    """

    said: frozenset[Amount] = frozenset()
    possible: frozenset[Amount] = frozenset()
    is_certain: bool = False
