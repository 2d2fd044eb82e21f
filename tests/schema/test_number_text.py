"""Regular expressions of number ranges, against arithmetic."""

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.number_text import Grid, grid_regex, n_decimals, read_grid


def forms(value: int, decimals: int) -> list[str]:
    """All ways to write a number of units: with fewer and fewer zeros at the end."""
    head, tail = divmod(abs(value), 10**decimals)
    text = f"{'-' if value < 0 else ''}{head}" + (f".{tail:0{decimals}d}" if decimals else "")
    found = [text]
    while "." in found[-1] and found[-1][-1] == "0":
        found.append(found[-1][:-1].removesuffix("."))
    return found


@settings(max_examples=200, deadline=None)
@given(low=st.integers(-3000, 3000), size=st.integers(0, 2000), decimals=st.integers(0, 3))
def test_a_range_holds_its_numbers_and_no_other(low: int, size: int, decimals: int) -> None:
    grid = Grid(low, low + size, decimals)
    regex = re.compile(grid_regex(grid) or "")
    for value in (*range(low - 12, low + 12), *range(low + size - 12, low + size + 12), -1, 0, 1):
        for text in forms(value, decimals):
            assert bool(regex.fullmatch(text)) == (low <= value <= low + size), text
            assert not regex.fullmatch("0" + text)
            assert not regex.fullmatch(text + "." if decimals else text + ".0")
            assert not regex.fullmatch(text + "0" * (decimals + 1) if "." in text else text + "e0")
    assert not regex.fullmatch("-0")
    assert not regex.fullmatch("")
    assert grid.longest == max(len(forms(edge, decimals)[0]) for edge in (low, low + size))


@settings(max_examples=100, deadline=None)
@given(low=st.integers(0, 10**20), high=st.integers(0, 10**20), digits=st.integers(0, 21))
def test_large_ranges(low: int, high: int, digits: int) -> None:
    low, high = sorted((low, high))
    regex = re.compile(grid_regex(Grid(low, high)) or "")
    for value in (low - 1, low, low + 1, high - 1, high, high + 1, 10**digits, 10**digits - 1):
        assert bool(regex.fullmatch(str(value))) == (low <= value <= high)


@pytest.mark.parametrize(
    ("node", "yes", "no"),
    [
        ({"type": "number", "minimum": -1, "maximum": 1, "multipleOf": 0.3}, ["0", "0.3", "-0.9"], ["0.1", "1", "1.2"]),
        ({"type": "number", "minimum": 0, "maximum": 10, "multipleOf": 2.5}, ["2.5", "5", "10"], ["2", "12.5"]),
        ({"type": "integer", "minimum": -7, "maximum": 7, "multipleOf": 7}, ["-7", "0", "7"], ["1", "14", "-0"]),
        ({"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2.5}, ["5"], ["2.5", "2", "0"]),
        ({"type": "integer", "minimum": 0, "maximum": 10**9, "multipleOf": 100}, ["0", "100", "1000"], ["10", "00"]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.1}, ["0.1"], ["0", "1"]),
        ({"type": "integer", "exclusiveMinimum": 0.5, "exclusiveMaximum": 2.5}, ["1", "2"], ["0", "3"]),
    ],
)
def test_steps_and_open_ends(node: dict[str, Any], yes: list[str], no: list[str]) -> None:
    regex = re.compile(grid_regex(read_grid(node)) or "")
    assert [text for text in yes if not regex.fullmatch(text)] == []
    assert [text for text in no if regex.fullmatch(text)] == []


def test_many_multiples_of_an_uncommon_step_are_for_another() -> None:
    assert grid_regex(Grid(0, 10_000, 0, 7)) is None
    assert grid_regex(Grid(0, 1_000, 0, 7)) is not None


def test_an_empty_range_is_known() -> None:
    for node in (
        {"type": "integer", "minimum": 0.2, "maximum": 0.8},
        {"type": "integer", "minimum": 1, "maximum": 6, "multipleOf": 7},
        {"type": "number", "minimum": 2, "maximum": 1, "multipleOf": 0.1},
    ):
        assert read_grid(node).is_empty


@pytest.mark.parametrize(("step", "expected"), [(0.01, 2), (1e-7, 7), (5, 0), (10, 0), (0.25, 2), (1e20, 0), (1, 0)])
def test_n_decimals(step: float, expected: int) -> None:
    assert n_decimals(step) == expected
    assert (Fraction(repr(step)) * 10**expected).denominator == 1
