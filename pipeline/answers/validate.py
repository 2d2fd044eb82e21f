"""A generation and its contract in, a Record or the reason why it is none out.

A generation that the engine cut is never repaired: half an answer is a reject. An answer is accepted when it is strict
JSON, satisfies the user's whole schema with formats asserted, and each value fits its column.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, NoReturn

from jsonschema.exceptions import ValidationError, best_match

from pipeline.answers.record import Invalid, Record
from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import RejectCode
from pipeline.prompts.prompt import Prompt
from pipeline.schema.load import Contract
from pipeline.schema.pointer import child
from pipeline.schema.values import JSON, ConversionError, convert_row

_NO_TEXT = {
    FinishReason.REFUSED: RejectCode.ENGINE_REFUSED,
    FinishReason.FAILED: RejectCode.ENGINE_FAILED,
    FinishReason.TIMEOUT: RejectCode.ENGINE_TIMEOUT,
    FinishReason.QUARANTINED: RejectCode.QUARANTINED,
}


def validate(generation: Generation, prompt: Prompt, contract: Contract) -> Record | Invalid:
    """Give the record of a generation, or why there is none.

    Args:
        generation: As the engine gave it.
        prompt: The prompt it answers.
        contract: The contract of the prompt's task.

    Raises:
        ValueError: the generation answers another prompt: a bug in the flow.
    """
    if generation.prompt_id != prompt.prompt_id:
        raise ValueError(f"generation of {generation.prompt_id!r} was given for prompt {prompt.prompt_id!r}")
    if generation.finish_reason in _NO_TEXT:
        detail = generation.error or "the engine gave no reason"
        return Invalid(_NO_TEXT[generation.finish_reason], _shorten(detail, 500))
    if generation.finish_reason is FinishReason.LENGTH:
        return Invalid(
            RejectCode.TRUNCATED,
            f"the answer was cut after {generation.n_output_tokens} tokens (max_tokens is {prompt.max_tokens})",
        )
    values = parse_answer(generation.text, contract)
    if isinstance(values, Invalid):
        return values
    return Record(prompt.doc_id, prompt.chunk_index, prompt.task, values)


def parse_answer(text: str, contract: Contract) -> dict[str, JSON] | Invalid:
    """Parse and check one answer.

    Returns:
        Its values; or INVALID_JSON (not JSON, a key twice, NaN, a number beyond a double, half a surrogate pair) or
        SCHEMA_VIOLATION (the schema's most telling error, or a value that its column cannot hold).
    """
    try:
        values = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_fraction, parse_int=_whole
        )
        if "\\u" in text:
            json.dumps(values, ensure_ascii=False, default=str).encode()
    except json.JSONDecodeError as exc:
        found = f"{text[max(0, exc.pos - 20) : exc.pos + 20]!r}" if text.strip() else "nothing"
        return Invalid(RejectCode.INVALID_JSON, f"{exc.msg} at character {exc.pos}, found {found}")
    except (ValueError, RecursionError) as exc:
        return Invalid(RejectCode.INVALID_JSON, _shorten(str(exc), 300))
    error = best_match(contract.validator.iter_errors(values))
    if error is not None:
        return Invalid(RejectCode.SCHEMA_VIOLATION, _explain(error))
    try:
        convert_row(values, contract.columns)
    except ConversionError as exc:
        return Invalid(RejectCode.SCHEMA_VIOLATION, str(exc))
    checked: dict[str, JSON] = values
    return checked


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {_shorten(twice, 60)!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _fraction(digits: str) -> Decimal:
    """Keep a number with a point or an exponent exact; refuse one that no double can hold, which would also be slow."""
    if not math.isfinite(float(digits)) or len(digits) > 400:
        raise ValueError(f"the number {_shorten(digits, 60)} is beyond the range of a double")
    return Decimal(digits)


def _whole(digits: str) -> int:
    if len(digits) > 400:
        raise ValueError(f"the number {_shorten(digits, 60)} is beyond the range of a double")
    return int(digits)


def _explain(error: ValidationError) -> str:
    """Say where, what was found and what was expected, each short, whatever the answer holds."""
    where = child("", *error.absolute_path) or "/"
    if error.validator in ("required", "additionalProperties", "unevaluatedProperties", "dependentRequired"):
        return f"at {where}: {_shorten(error.message, 240)}"
    if error.validator is None:
        return f"at {where}: found {_written(error.instance)}, but the schema allows nothing there"
    return f"at {where}: found {_written(error.instance)}, expected {error.validator} {_written(error.validator_value)}"


def _written(value: object) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False, default=float), 100)


def _shorten(text: str, n_characters: int) -> str:
    return text if len(text) <= n_characters else text[: n_characters - 3] + "..."
