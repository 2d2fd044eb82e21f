"""The rules in which our validator differs from jsonschema's."""

import json
from decimal import Decimal
from typing import Any

import pytest

from pipeline.schema.validator import build_validator


@pytest.mark.parametrize(
    ("items", "differ"),
    [
        ([], True),
        ([{"a": 1, "b": [2]}, {"b": [Decimal("2.0")], "a": 1}], False),
        ([1, Decimal("1.00")], False),
        ([1, True, "1", [1], {"1": 1}], True),
        ([0, False, None, "", []], True),
        (["a", "b", "a"], False),
        ([{"n": i} for i in range(100_000)], True),  # every item against every other would take an hour
    ],
)
def test_unique_items_compares_by_value(items: list[Any], differ: bool) -> None:
    assert build_validator('{"uniqueItems": true}').is_valid(items) is differ
    assert build_validator('{"uniqueItems": false}').is_valid(items)


def test_a_step_is_exact() -> None:
    validator: Any = build_validator(json.dumps({"multipleOf": 0.01}))
    assert validator.is_valid(Decimal("1.15"))
    assert not validator.is_valid(Decimal("1.155"))
