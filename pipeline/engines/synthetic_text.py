"""Strings for synthetic answers: bounds, a format or a pattern in, text out. Knows nothing of the other types.

All chance comes from `Random.random()`, the one method whose sequence Python promises never to change.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from random import Random
from typing import Any

from llguidance import LLMatcher, LLTokenizer

Draw = Callable[[Random], str]


class CannotAnswerError(ValueError):
    """No text that satisfies the schema was found."""


def pick(chance: Random, n: int) -> int:
    """Give one of range(n), all equally likely; n is at least 1 and small against 2**53."""
    return int(chance.random() * n)


def build_string(node: dict[str, Any]) -> Draw:
    """Draw strings of a string node."""
    least = node.get("minLength", 0)
    most = node.get("maxLength", max(least, 30))
    if "pattern" in node:
        kept = ("type", "pattern", "format", "minLength", "maxLength")
        return build_pattern({key: node[key] for key in kept if key in node})
    if "format" in node:
        return build_formatted(node["format"], least, most)
    return build_words(least, most)


def build_key(pattern: str, most: int) -> Draw:
    """A key of a map, of at most so many characters: words where the pattern says only how long it may be."""
    free = re.fullmatch(r"\^\.\{1,(\d+)\}\$", pattern)
    if free:
        return build_words(1, min(most, int(free[1])))
    return build_pattern({"type": "string", "pattern": pattern, "maxLength": most})


def build_words(least: int, most: int) -> Draw:
    """Draw a few words of `least` to `most` characters: 5 to 30 where the bounds allow."""
    low = least if least > 5 else min(5, most)
    high = max(low, min(most, 30, low + 15) if least < 30 else least)

    def draw(chance: Random) -> str:
        length = low + pick(chance, high - low + 1)
        text = _WORDS[pick(chance, len(_WORDS))].capitalize()
        while len(text) < length:
            text += " " + _WORDS[pick(chance, len(_WORDS))]
        border = (text + " ").rfind(" ", max(1, least), length + 1)
        return text[: border if border > 0 else length]

    return draw


def build_formatted(name: str, least: int, most: int) -> Draw:
    """Draw values of a format that the grammar enforces; one that has no value within the bounds cannot be drawn."""
    make = _FORMATS.get(name)
    if make is None:
        return build_pattern({"type": "string", "format": name, "minLength": least, "maxLength": most})
    odd: list[Draw] = []

    def draw(chance: Random) -> str:
        for _ in range(8):
            text = make(chance)
            if least <= len(text) <= most:
                return text
        if not odd:
            odd.append(build_pattern({"type": "string", "format": name, "minLength": least, "maxLength": most}))
        return odd[0](chance)

    return draw


def build_pattern(node: dict[str, Any]) -> Draw:
    """Draw strings of a JSON Schema string node with a pattern or an uncommon format, by walking its grammar.

    A walk takes about a millisecond, so one of N_STRINGS is drawn, each made when it is first wanted.

    Raises:
        CannotAnswerError: No string of at most MAX_PATTERN characters fits.
    """
    grammar = _tightest_grammar(node)
    seed = json.dumps(node, sort_keys=True)
    made: dict[int, str] = {}

    def draw(chance: Random) -> str:
        index = pick(chance, N_STRINGS)
        if index not in made:
            made[index] = _walk(grammar, Random(f"{index} {seed}"))
        return made[index]

    return draw


N_STRINGS = 64
"""Different strings that are made of one pattern, at most."""
MAX_PATTERN = 4096
"""Characters beyond which no string of a pattern is looked for."""
_TOKENIZER = LLTokenizer("byte")
"""Token n is the byte n, up to 255."""


def _tightest_grammar(node: dict[str, Any]) -> str:
    """The grammar with the smallest of a few maxima that some string meets: `x` unanchored allows any text around."""
    least, most = node.get("minLength", 0), min(node.get("maxLength", MAX_PATTERN), MAX_PATTERN)
    length, error = max(least, 8), ""
    while True:
        tight = {**node, "maxLength": min(length, most)}
        grammar: str = LLMatcher.grammar_from_json_schema(json.dumps(tight))
        error = LLMatcher.validate_grammar(grammar)
        if not error:
            return grammar
        if length >= most:
            raise CannotAnswerError(f"no string fits {json.dumps(node)[:200]}: {' '.join(error.split())[:200]}")
        length *= 2


_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_PLAIN = (string.ascii_letters + string.digits).encode()
_PRINTABLE = bytes(byte for byte in range(32, 127) if byte not in (_QUOTE, _BACKSLASH))
_ANY = bytes(range(256))


def _walk(grammar: str, chance: Random) -> str:
    """Write one JSON string byte by byte, by preference letters and digits, and end it soon once that is allowed."""
    matcher = LLMatcher(_TOKENIZER, grammar, log_level=0)
    written = bytearray()
    while not (matcher.is_stopped() or (written and matcher.is_accepting())):
        allowed = int.from_bytes(matcher.compute_bitmask(), "little")
        may_end = len(written) > 1 and allowed >> _QUOTE & 1
        liked = _PLAIN if chance.random() < 0.8 else _PRINTABLE
        bytes_allowed = next((found for found in _allowed(allowed, liked)), b"")
        if may_end and (not bytes_allowed or chance.random() < (0.1 if len(written) < 6 else 0.4)):
            byte = _QUOTE
        elif bytes_allowed:
            byte = bytes_allowed[pick(chance, len(bytes_allowed))]
        else:
            break
        matcher.consume_token(byte)
        written.append(byte)
    try:
        return str(json.loads(written))
    except ValueError as exc:
        raise CannotAnswerError(f"a pattern's grammar led to {bytes(written[:100])!r}: {matcher.get_error()}") from exc


def _allowed(mask: int, liked: bytes) -> list[bytes]:
    """The allowed bytes of the first kind that has any."""
    kinds = (bytes(byte for byte in kind if mask >> byte & 1) for kind in (liked, _PRINTABLE, _ANY))
    return [found for found in kinds if found][:1]


def _date(chance: Random) -> str:
    return f"{2000 + pick(chance, 30)}-{1 + pick(chance, 12):02}-{1 + pick(chance, 28):02}"


def _time(chance: Random) -> str:
    return f"{pick(chance, 24):02}:{pick(chance, 60):02}:{pick(chance, 60):02}Z"


def _moment(chance: Random) -> str:
    return f"{_date(chance)}T{_time(chance)}"


def _duration(chance: Random) -> str:
    return f"P{1 + pick(chance, 90)}D"


def _email(chance: Random) -> str:
    return f"{_word(chance)}.{_word(chance)}@example.com"


def _hostname(chance: Random) -> str:
    return f"{_word(chance)}.example.com"


def _ipv4(chance: Random) -> str:
    return f"10.{pick(chance, 256)}.{pick(chance, 256)}.{1 + pick(chance, 254)}"


def _ipv6(chance: Random) -> str:
    return f"2001:db8::{1 + pick(chance, 65535):x}"


def _uuid(chance: Random) -> str:
    digits = "".join("0123456789abcdef"[pick(chance, 16)] for _ in range(30))
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-{digits[18:]}"


def _uri(chance: Random) -> str:
    return f"https://example.com/{_word(chance)}/{_word(chance)}"


def _word(chance: Random) -> str:
    return _WORDS[pick(chance, len(_WORDS))]


_FORMATS: dict[str, Draw] = {
    "date": _date,
    "time": _time,
    "date-time": _moment,
    "duration": _duration,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "uuid": _uuid,
    "uri": _uri,
}
_VOCABULARY = (
    "account agreement annual approval assembly autumn bridge budget cedar central charter coastal committee delivery "
    "district eastern estate exchange figure final forest garden general granite harbour heritage index initial "
    "island journal lantern ledger limited local manual marine meadow member modern monthly mutual north notice "
    "office open orchard order partner payment pioneer plain public quarter record regional report river schedule "
    "service silver station summit supply term timber tower union valley village western window"
)
_WORDS = _VOCABULARY.split()
