"""When a run is told to end. The clock is the monotonic one, moved by hand."""

import time

import pytest

from pipeline.flow.stop import Stop, spell_duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_without_a_limit_only_a_person_ends_it(clock: list[float]) -> None:
    stop = Stop()
    clock[0] += 1e9
    assert not stop.stopped()
    assert not stop.must_leave()
    stop.ask("SIGTERM")
    stop.ask("SIGINT")
    assert stop.stopped()
    assert stop.reason == "SIGTERM"
    assert not stop.must_leave()


def test_a_limit_leaves_time_for_the_commit_and_the_longest_answer(clock: list[float]) -> None:
    stop = Stop(time_limit_s=3600.0)  # 72 s for the commit
    stop.note_answer(80.0)
    stop.note_answer(3.0)
    clock[0] += 3600 - 72 - 100 - 1
    assert not stop.stopped()
    clock[0] += 1
    assert stop.stopped()
    assert stop.reason == "time limit of 1h"
    assert not stop.must_leave()
    clock[0] += 100
    assert stop.must_leave()


def test_the_wall_clock_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop(time_limit_s=3600.0)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not stop.stopped()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (45, "45s"), (13800, "3h50m"), (93600, "1d2h"), (86400, "1d"), (61, "1m1s")]
)
def test_durations_are_spelled_as_they_are_given(seconds: float, text: str) -> None:
    assert spell_duration(seconds) == text
