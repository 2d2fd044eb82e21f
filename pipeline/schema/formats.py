"""The string formats that the validator asserts: jsonschema's, and stricter ones where those let wrong texts pass.

RFC 3339 for dates, times and durations (a leap second only where one can be), RFC 5321 for e-mail addresses, RFC 1123
for host names (what an international name becomes in ASCII is not looked into), RFC 4122 for UUIDs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from jsonschema import Draft202012Validator, FormatChecker

_TIME = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(\.[0-9]+)?([Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_AMOUNTS = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DAYS = r"(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
_DURATION = re.compile(rf"P(?:{_DAYS}(?:{_AMOUNTS})?|{_AMOUNTS}|[0-9]+W)")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf'{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])*"')
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_RELATIVE_POINTER = re.compile(r"(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)", re.DOTALL)


def build_format_checker() -> FormatChecker:
    """Give the formats that are asserted; values that are no strings always pass."""
    checker: FormatChecker = deepcopy(Draft202012Validator.FORMAT_CHECKER)
    own = {
        "date-time": _is_date_time,
        "time": _is_time,
        "duration": lambda text: _DURATION.fullmatch(text) is not None,
        "uuid": lambda text: _UUID.fullmatch(text) is not None,
        "email": _is_email,
        "hostname": _is_hostname,
        "relative-json-pointer": lambda text: _RELATIVE_POINTER.fullmatch(text) is not None,
        "regex": _is_pattern,
    }
    for name, accepts in own.items():
        checker.checks(name)(_of_strings(accepts))
    return checker


def _of_strings(accepts: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or accepts(value)


def _is_date_time(text: str) -> bool:
    if len(text) < 11 or text[10] not in "Tt" or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text[:10]):
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return _is_time(text[11:])


def _is_time(text: str) -> bool:
    """A leap second is the last of a day in UTC."""
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    hour, minute, second, _, _, sign, offset_hour, offset_minute = match.groups()
    if second != "60":
        return True
    offset = (int(offset_hour or 0) * 60 + int(offset_minute or 0)) * (-1 if sign == "-" else 1)
    return (int(hour) * 60 + int(minute) - offset) % (24 * 60) == 24 * 60 - 1


def _is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        return False
    if domain.startswith("[") and domain.endswith("]"):
        return _is_address(domain[1:-1])
    return _is_hostname(domain)


def _is_address(literal: str) -> bool:
    try:
        if literal[:5].lower() == "ipv6:":
            IPv6Address(literal[5:])
        else:
            IPv4Address(literal)
    except AddressValueError:
        return False
    return True


def _is_pattern(text: str) -> bool:
    """Whether Python can search for it; of "a{99999999999}" it says so with an error of arithmetic."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _is_hostname(text: str) -> bool:
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))
