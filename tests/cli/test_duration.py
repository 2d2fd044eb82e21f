"""Durations as people, `timeout` and Slurm write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.duration import parse_duration
from pipeline.errors import JobError
from pipeline.flow.stop import spell_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3h50m", 13_800),
        ("90s", 90),
        ("45m", 2_700),
        ("1d2h", 93_600),
        ("1D 2H".replace(" ", ""), 93_600),
        ("3:50:00", 13_800),
        ("26:00:01", 93_601),
        ("1-02:00:00", 93_600),
        ("5400", 5_400),
        (" 10m ", 600),
        ("0h1s", 1),
    ],
)
def test_a_duration_is_read_in_every_way_it_is_written(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "3h 50m",
        "50m3h",
        "3:50",
        "3:5:00",
        "-5m",
        "1.5h",
        "5x",
        "h",
        "1-2h",
        "٣h",
        "9" * 5000,
        "1h\n2m",
    ],
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(JobError, match="expected a duration such as 3h50m") as refused:
        parse_duration(text)
    assert str(refused.value).startswith(f"--time-limit {text!r}")


@pytest.mark.parametrize("text", ["0", "0s", "0h0m", "0:00:00"])
def test_no_time_at_all_is_refused(text: str) -> None:
    with pytest.raises(JobError, match="at least one second"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**9))
def test_what_a_report_spells_can_be_given_again(seconds: int) -> None:
    assert parse_duration(spell_duration(seconds)) == seconds
