"""JSON Schema 2020-12 as this project reads it: formats are asserted, and numbers are what their digits say."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from pipeline.schema.formats import build_format_checker
from pipeline.schema.json_text import canonical_json

FORMATS = build_format_checker()
"""The formats that are asserted."""


def _is_integer(_: object, value: object) -> bool:
    whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return whole or Draft202012Validator.TYPE_CHECKER.is_type(value, "integer")


def _multiple_of(validator: Any, step: Any, instance: Any, _: object) -> Iterator[ValidationError]:  # noqa: ANN401
    """Replace jsonschema's own check, which divides floats and so finds that 1.15 is no multiple of 0.01."""
    if validator.is_type(instance, "number") and not is_multiple(instance, step):
        yield ValidationError(f"{instance} is not a multiple of {step}")


def _unique_items(validator: Any, wanted: Any, instance: Any, _: object) -> Iterator[ValidationError]:  # noqa: ANN401
    """Replace jsonschema's own check, which compares every item with every other: minutes for ten thousand objects."""
    if not wanted or not validator.is_type(instance, "array"):
        return
    seen: dict[str, int] = {}
    for i, item in enumerate(instance):
        first = seen.setdefault(canonical_json(item), i)
        if first != i:
            yield ValidationError(f"items {first} and {i} are equal")
            return


def is_multiple(number: float | Decimal, step: float | Decimal) -> bool:
    """Whether a number is a whole number of steps, exactly."""
    return (_fraction(number) / _fraction(step)).denominator == 1


def _fraction(number: float | Decimal) -> Fraction:
    """A float is the number of its shortest digits."""
    return Fraction(repr(number) if isinstance(number, float) else number)


ExactValidator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"multipleOf": _multiple_of, "uniqueItems": _unique_items},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
"""jsonschema's validator of 2020-12 with these rules; formats are asserted with `format_checker=FORMATS`."""
