"""JSON values in, JSON text out, with every digit: what Python's own writer cannot do for Decimals.

It writes values of any depth: what was parsed on a shallow stack is written on a deep one.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

JSON = None | bool | int | float | Decimal | str | list[Any] | dict[str, Any]
"""A JSON value as parsed."""

_LITERALS = {None: "null", True: "true", False: "false"}
_WIDE = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN)
_MOST_DIGITS = 400


def write_json(value: JSON) -> str:
    """Write a value as it is, without spaces: keys in their order, the digits of Decimals as they were read.

    Half a surrogate pair is written as an escape, so that the text is always UTF-8.
    """
    return _write(value, list, str)


def canonical_json(value: JSON) -> str:
    """Write a value in the one form that equal values share: keys sorted, no spaces, numbers by value.

    1, 1.0 and 1E+0 are 1; 1.10 is 1.1; a double is the shortest digits that mean it.
    """
    if isinstance(value, str):  # most values that are compared
        return _quote(value)
    return _write(value, sorted, _by_value)


def is_utf8(text: str) -> bool:
    """False when the text holds half a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Written(str):
    """Text that stands in the output as it is."""

    __slots__ = ()


def _write(value: JSON, order: Callable[[dict[str, Any]], list[str]], digits: Callable[[Decimal], str]) -> str:
    """Write depth first with a stack of what is still to come, the next last."""
    parts: list[str] = []
    stack: list[Any] = [value]
    while stack:
        match stack.pop():
            case _Written() as text:
                parts.append(text)
            case str() as text:
                parts.append(_quote(text))
            case None | bool() as literal:
                parts.append(_LITERALS[literal])
            case int() | float() | Decimal() as number:
                parts.append(digits(Decimal(repr(number) if isinstance(number, float) else number)))
            case list() as items:
                stack += reversed(_between(["[", "]"], [[item] for item in items]))
            case dict() as members:
                pairs = [[_Written(f"{_quote(key)}:"), members[key]] for key in order(members)]
                stack += reversed(_between(["{", "}"], pairs))
            case other:
                raise TypeError(f"{type(other).__name__} is not a JSON value")
    return "".join(parts)


def _between(brackets: list[str], members: list[list[Any]]) -> list[Any]:
    """The brackets, and in them the members with commas."""
    found: list[Any] = [_Written(brackets[0])]
    for i, member in enumerate(members):
        found += [_Written(","), *member] if i else member
    return [*found, _Written(brackets[1])]


def _quote(text: str) -> str:
    return encode_basestring(text) if is_utf8(text) else encode_basestring_ascii(text)


def _by_value(number: Decimal) -> str:
    """Whole numbers as such, others without trailing zeros."""
    if number.adjusted() < _MOST_DIGITS and number == number.to_integral_value():
        return str(int(number))
    return str(number.normalize(_WIDE))
