"""How long an answer can get: a decoder form in, the bytes of the longest JSON its grammar allows out."""

from __future__ import annotations

import json
import math
from decimal import Decimal

from pipeline.schema.intersect import Schema

BYTES_PER_CHARACTER = 6
"""The most a character of a JSON string costs: a control character is written \\u001f, an emoji as 4 bytes."""
FORMAT_LENGTHS = {
    "date": 10,
    "date-time": len("2024-01-01T10:00:00.123456+05:30"),
    "time": len("10:00:00.123456+05:30"),
    "duration": 32,
    "ipv4": 15,
    "ipv6": 45,
    "uuid": 36,
}
"""Characters of the formats that have a natural length; all of them are ASCII, one byte each."""


def longest_answer_bytes(decoder_schema: str, endless_bytes: float = math.inf) -> int | None:
    """Give the bytes (UTF-8) of the longest answer that a decoder form allows; None when an answer need not end.

    Since a token is at least one byte, an answer is complete whenever this is at most `max_tokens`.

    Args:
        decoder_schema: JSON text made by `build_decoder_schema`.
        endless_bytes: What to count for a part that need not end (a negative decimal, a map's key with a pattern).
    """
    longest = _Longest(endless_bytes).of(json.loads(decoder_schema))
    return None if math.isinf(longest) else int(longest)


def n_decimals(step: float) -> int:
    """Give how many decimals a multiple of `step` can have."""
    exponent = Decimal(repr(step)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


class _Longest:
    """Adds up a decoder form, with one cost for every part that has no end."""

    def __init__(self, endless_bytes: float) -> None:
        self._endless = endless_bytes

    def of(self, node: Schema) -> float:
        if "anyOf" in node:
            return max(map(self.of, node["anyOf"]))
        if "enum" in node:
            return max((_written(value) for value in node["enum"]), default=0)
        match node["type"]:
            case "string":
                cost = 1 if node.get("format") in FORMAT_LENGTHS else BYTES_PER_CHARACTER
                return 2 + cost * float(node["maxLength"])
            case "array":
                return self._array(node)
            case "object":
                return self._object(node)
            case "integer" | "number":
                return self._number(node)
            case "null":
                return len("null")
            case _:
                return len("false")

    def _number(self, node: Schema) -> float:
        low: float = node["minimum"] if "minimum" in node else node["exclusiveMinimum"]
        high: float = node["maximum"] if "maximum" in node else node["exclusiveMaximum"]
        digits = max(len(str(math.ceil(abs(edge)))) for edge in (low, high)) + (low < 0)
        if node["type"] == "integer":
            return max(digits, len("-0"))
        if "multipleOf" not in node:
            return self._endless
        return float(digits + 1 + n_decimals(node["multipleOf"]))

    def _array(self, node: Schema) -> float:
        first = [self.of(part) for part in node.get("prefixItems", ())]
        if first:
            return 2 + sum(first) + 2 * (len(first) - 1)
        most: int = node["maxItems"]
        return 2 + most * self.of(node["items"]) + 2 * (most - 1)

    def _object(self, node: Schema) -> float:
        if "patternProperties" in node:
            return self._map(node)
        members = [_written(name) + 2 + self.of(part) for name, part in node["properties"].items()]
        return 2 + sum(members) + 2 * max(0, len(members) - 1)

    def _map(self, node: Schema) -> float:
        """A key's own pattern has no measured end, unless it is the decoder form's `^.{1,n}$`."""
        entries = []
        for pattern, part in node["patternProperties"].items():
            length = pattern.removeprefix("^.{1,").removesuffix("}$")
            key = 2 + BYTES_PER_CHARACTER * float(length) if length.isdecimal() else self._endless
            entries.append(key + 2 + self.of(part))
        most: int = node["maxProperties"]
        return 2.0 + most * max(entries) + 2 * (most - 1)


def _written(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))
