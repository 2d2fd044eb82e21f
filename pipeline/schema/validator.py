"""The validator form: the user's whole schema as a JSON Schema 2020-12 validator, formats asserted, decimals exact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from pipeline.schema.dialect import upgrade
from pipeline.schema.formats import build_format_checker
from pipeline.schema.references import METASCHEMAS

FORMATS = build_format_checker()
"""The formats that are asserted."""


def build_validator(text: str) -> Validator:
    """Give a validator for a schema in JSON text, of any draft that is known.

    It expects instances whose fractions are Decimal, and fetches nothing.
    """
    parsed = json.loads(text, parse_float=Decimal)
    schema = upgrade(parsed).schema if isinstance(parsed, dict) else parsed
    return cast(Validator, _Exact(schema, registry=METASCHEMAS, format_checker=FORMATS))


def _is_integer(_: object, value: object) -> bool:
    whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return whole or (isinstance(value, int) and not isinstance(value, bool))


def _multiple_of(validator: Any, step: Any, instance: Any, _: object) -> Iterator[ValidationError]:  # noqa: ANN401
    """Replace jsonschema's own check, which divides floats and so finds that 1.15 is no multiple of 0.01."""
    if validator.is_type(instance, "number") and (Fraction(instance) / Fraction(step)).denominator != 1:
        yield ValidationError(f"{instance} is not a multiple of {step}")


_Exact: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"multipleOf": _multiple_of},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
