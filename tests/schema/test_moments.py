"""Dates and times that the grammar writes, against the calendar, the validator and the columns."""

import calendar
import re
from datetime import UTC, date, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.schema.moments import MOMENTS

CHECK = Draft202012Validator.FORMAT_CHECKER


def test_every_day_that_exists_and_no_other() -> None:
    regex = re.compile(MOMENTS["date"].regex)
    for year in (0, 1, 4, 99, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9996, 9999):
        for month, day in product(range(14), range(33)):
            exists = year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
            assert bool(regex.fullmatch(f"{year:04}-{month:02}-{day:02}")) == exists, (year, month, day)


def test_every_leap_day() -> None:
    regex = re.compile(MOMENTS["date"].regex)
    for year in range(1, 10_000):
        assert bool(regex.fullmatch(f"{year:04}-02-29")) == calendar.isleap(year)
        assert regex.fullmatch(f"{year:04}-02-28")


@pytest.mark.parametrize("name", sorted(MOMENTS))
def test_whatever_is_written_is_valid_and_fits_its_column(name: str) -> None:
    moment = MOMENTS[name]

    @settings(max_examples=150, deadline=None)
    @given(text=st.from_regex(re.compile(moment.regex), fullmatch=True))
    def check(text: str) -> None:
        assert len(text) in moment.lengths
        assert CHECK.conforms(text, name)
        if name == "date":
            date.fromisoformat(text)
        else:
            found = datetime.fromisoformat(text if name == "date-time" else f"2000-01-02T{text}")
            assert found.astimezone(UTC).tzinfo is UTC

    check()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "time",
            ["00:00:00Z", "23:59:59.999999+23:59"],
            ["24:00:00Z", "10:00Z", "10:00:60Z", "10:00:00", "10:00:00.Z"],
        ),
        (
            "date-time",
            ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.5Z", "2024-02-29T10:00:00+05:30"],
            ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2024-02-29 10:00:00Z", "2024-02-29T10:00:00"],
        ),
    ],
)
def test_the_edges(name: str, good: list[str], bad: list[str]) -> None:
    regex = re.compile(MOMENTS[name].regex)
    assert [text for text in good if not regex.fullmatch(text)] == []
    assert [text for text in bad if regex.fullmatch(text)] == []
    assert {len(text) for text in good} <= MOMENTS[name].lengths
