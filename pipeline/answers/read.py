"""The text of an answer in, its values out, or why there are none.

An answer is accepted when it is strict JSON and satisfies the user's whole schema with formats asserted. The counts
that stand before counted lists and the quotes that stand before values are taken out; an answer that is no object
becomes one.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from jsonschema.exceptions import ValidationError, best_match

from pipeline.answers.citations import Citation, take_quotes
from pipeline.answers.record import Invalid
from pipeline.errors import RejectCode
from pipeline.schema.load import Contract
from pipeline.schema.pointer import child
from pipeline.schema.values import JSON

COUNT_PREFIX = "_n_"
"""Before the name of a counted list: the property that says how many items the model sees."""
_MOST_DIGITS = 400
"""Of a number, and the most places its exponent may move the point: no double has more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer.

    Attributes:
        values: What goes into a record: the columns of the contract, and what else the schema allows.
        written: The answer as the model wrote it.
        counts: How many items the model said a list would have, by name of the list.
        citations: What was quoted for which of the values.
    """

    values: dict[str, JSON]
    written: JSON
    counts: Mapping[str, JSON]
    citations: tuple[Citation, ...] = ()


def read_answer(text: str, contract: Contract) -> Answer | Invalid:
    """Parse and check one answer.

    Returns:
        The answer; or INVALID_JSON (not JSON, a key twice, NaN, a number beyond a double, half a surrogate pair) or
        SCHEMA_VIOLATION (the schema's most telling error).
    """
    found = parse_json(text)
    return found if isinstance(found, Invalid) else check_answer(found, contract)


def parse_json(text: str) -> JSON | Invalid:
    """Parse strict JSON; numbers with a point or an exponent become Decimal."""
    try:
        values: JSON = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_fraction, parse_int=_whole
        )
        if "\\u" in text:
            json.dumps(values, ensure_ascii=False, default=str).encode()
    except json.JSONDecodeError as exc:
        found = f"{text[max(0, exc.pos - 20) : exc.pos + 20]!r}" if text.strip() else "nothing"
        return Invalid(RejectCode.INVALID_JSON, f"{exc.msg} at character {exc.pos}, found {found}")
    except (ValueError, RecursionError) as exc:
        return Invalid(RejectCode.INVALID_JSON, shorten(str(exc), 300))
    return values


def check_answer(written: JSON, contract: Contract) -> Answer | Invalid:
    """Hold a parsed answer against the whole schema."""
    bare, counts = _without_counts(written, contract)
    citations: tuple[Citation, ...] = ()
    if contract.asks_for_quotes:
        bare, citations = take_quotes(bare, contract.asked, "/value" if contract.is_wrapped else "")
    try:
        error = None if contract.look(bare) else best_match(contract.validator.iter_errors(bare))
        why = None if error is None else _explain(error)
    except RecursionError:  # a schema that refers to itself is followed as deep as the answer goes
        why = "nested too deeply to be held against the schema"
    if why is not None:
        return Invalid(RejectCode.SCHEMA_VIOLATION, why)
    values: Any = {"value": bare} if contract.is_wrapped else bare
    return Answer(values, written, counts, citations)


def _without_counts(written: JSON, contract: Contract) -> tuple[Any, dict[str, JSON]]:
    if not (contract.counted and isinstance(written, dict)):
        return written, {}
    names = {COUNT_PREFIX + name: name for name in contract.counted}
    bare = {name: value for name, value in written.items() if name not in names}
    return bare, {names[name]: value for name, value in written.items() if name in names}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        n_times = Counter(name for name, _ in pairs)
        twice = next(name for name, n in n_times.items() if n > 1)
        raise ValueError(f"the key {shorten(twice, 60)!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _fraction(digits: str) -> Decimal:
    """Keep a number with a point or an exponent exact; refuse one that no double can hold, which would also be slow."""
    exponent = digits.lower().partition("e")[2] or "0"
    is_far = len(digits) > _MOST_DIGITS or abs(int(exponent)) > _MOST_DIGITS
    if is_far or not math.isfinite(float(digits)):
        raise ValueError(f"the number {shorten(digits, 60)} is beyond the range of a double")
    return Decimal(digits)


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"the number {shorten(digits, 60)} is beyond the range of a double")
    return int(digits)


def _explain(error: ValidationError) -> str:
    """Say where, what was found and what was expected, each short, whatever the answer holds."""
    where = child("", *error.absolute_path) or "/"
    if error.validator in ("required", "additionalProperties", "unevaluatedProperties", "dependentRequired"):
        return f"at {where}: {shorten(error.message, 240)}"
    if error.validator is None:
        return f"at {where}: found {_written(error.instance)}, but the schema allows nothing there"
    return f"at {where}: found {_written(error.instance)}, expected {error.validator} {_written(error.validator_value)}"


def _written(value: object) -> str:
    return shorten(json.dumps(value, ensure_ascii=False, default=float), 100)


def shorten(text: str, n_characters: int) -> str:
    """The text, or its beginning and dots: n_characters at most."""
    return text if len(text) <= n_characters else text[: n_characters - 3] + "..."
