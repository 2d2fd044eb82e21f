"""The moments of a run, from which its phases follow."""

import subprocess
import sys
import time

import pytest

from pipeline.flow.clock import Clock, Moment, process_age_s


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock says; change its one item."""
    times = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    return times


def test_phases_follow_each_other_and_leave_nothing_out(now: list[float]) -> None:
    clock = Clock()
    for moment, at in [
        (Moment.FIRST_PROMPT, 2.0),
        (Moment.ENGINE_START, 1.0),
        (Moment.ENGINE_READY, 31.0),
        (Moment.FIRST_SUBMITTED, 31.5),
        (Moment.FIRST_ANSWER, 33.0),
        (Moment.LAST_ANSWER, 33.0),
        (Moment.LAST_ANSWER, 60.0),
        (Moment.ANSWERED, 61.5),
    ]:
        now[0] = 1000.0 + at
        clock.note(moment)
    now[0] = 2000.0
    clock.note(Moment.ENGINE_READY)  # only the first counts
    seconds = clock.seconds()
    assert seconds == {"before_engine": 1.0, "engine_start": 30.0, "waiting": 0.5, "generating": 30.0, "starved": 0.0}
    timeline = clock.timeline()
    assert timeline["last_answer"] - timeline["planned"] == pytest.approx(60.0)
    assert list(timeline) == [moment.value for moment in Moment]


def test_without_an_engine_everything_is_before_it(now: list[float]) -> None:
    clock = Clock()
    now[0] = 1004.0
    clock.note(Moment.ANSWERED)
    assert clock.seconds() == {
        "before_engine": 4.0,
        "engine_start": 0.0,
        "waiting": 0.0,
        "generating": 0.0,
        "starved": 0.0,
    }
    assert set(clock.timeline()) == {"planned", "answered"}


def test_starving_counts_only_while_it_lasts(now: list[float]) -> None:
    clock = Clock()
    for at, is_starving in [(1, False), (2, True), (5, True), (6, False), (9, False), (10, True), (10.5, False)]:
        now[0] = 1000.0 + at
        clock.note_starving(is_starving=is_starving)
    assert clock.seconds()["starved"] == pytest.approx(4.5)


def test_the_age_of_a_process_is_known() -> None:
    command = "import time; time.sleep(0.3); from pipeline.flow.clock import process_age_s; print(process_age_s())"
    start_s = time.monotonic()
    output = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert 0.28 <= float(output) <= time.monotonic() - start_s + 0.02
    assert process_age_s() > 0
