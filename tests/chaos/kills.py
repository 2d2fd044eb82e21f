"""The ways to end a start of `pipeline run`, or to disturb it: each waits for its moment, strikes, and says where."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from random import Random

import psutil
from scenarios import Scenario
from starts import Project, Start, load_contents, load_kept, run_beside

from pipeline.errors import TryAgainError


class Kind(StrEnum):
    """What is done, in the words of the table that is printed."""

    DRIVER = "driver, after some answers"
    PART = "driver, after a part of the journal"
    EARLY = "driver, while it starts"
    FAMILY = "driver and all its processes at once"
    POINT = "driver, before a step on the disk"
    ENGINE = "engine, then the driver"
    RESTART = "engine, and the driver while it restarts it"
    DRAIN = "SIGTERM to the driver"
    TWICE = "SIGTERM to the driver, twice"
    BESIDE = "another start beside it, then the driver"
    TOGETHER = "two starts at once, then the driver"


IS_NO_KILL = frozenset({Kind.DRAIN, Kind.TWICE})
_NEEDS_CALM = frozenset({Kind.ENGINE, Kind.RESTART})
"""An engine that also dies by itself could take an innocent prompt along often enough to have it quarantined."""
_MIDDLE = (*Kind, Kind.POINT, Kind.POINT)
_MIDDLE_PHASES = ("flush of the journal", "start", "staging of tables", "the rest")
_ENDS = (
    ("closing of tables", "commit", "recovery"),
    ("commit", "recovery", "recovery"),
    ("flush of the journal", "cleaning of the journal", "commit", "dropping of the journal"),
    ("commit", "leaving", "recovery"),
)
_ONLY_AFTER_A_KILL = {"recovery": 24, "cleaning of the journal": 1}
"""Phases in which an undisturbed run has nothing to do, and about how many steps they may have."""
_GOES_ON = 20
"""Answers that show that a driver goes on as before."""
_ANOTHER_REQUEST_S = 0.6
"""Signals that come sooner after one another count as one."""
_DROPPED_PARTS = 6


@dataclass(frozen=True, slots=True)
class Kill:
    """One thing to do to one start.

    Attributes:
        kind: What.
        n: After so many answers, or parts of the journal.
        wait_s: Seconds to wait, where there is something to wait for.
        phase: Of the driver; for kind POINT.
        step: Before which step of that phase, from 0; for kind POINT.
    """

    kind: Kind
    n: int = 0
    wait_s: float = 0.0
    phase: str | None = None
    step: int = 0


Steps = Mapping[str, Sequence[str]]
"""The kind of each step of an undisturbed run, in order, by phase."""


def plan_kills(index: int, chance: Random, scenario: Scenario, steps: Steps) -> list[Kill]:
    """What one round does, in order: first while answers come in, then while tables are written.

    Args:
        index: Of the round; rounds that follow one another go through all kinds.
        chance: Decides the rest.
        scenario: Of the round.
        steps: Of its undisturbed run.
    """
    kinds = islice(cycle(_MIDDLE), 5 * index, 5 * index + 5)
    middle = [_draw(kind, chance, steps) for kind in kinds if scenario.is_calm or kind not in _NEEDS_CALM]
    chance.shuffle(middle)
    return [*middle, *(draw_point(phase, chance, steps) for phase in _ENDS[index % len(_ENDS)])]


def plan_real_kills(n: int, chance: Random) -> list[Kill]:
    """Kills of runs with a real engine, which takes half a minute to load: the engine's own comes last."""
    kinds = [*islice(cycle([Kind.DRIVER, Kind.FAMILY]), n - 1), Kind.ENGINE]
    return [Kill(kind, n=chance.randint(2, 8)) for kind in kinds]


def _draw(kind: Kind, chance: Random, steps: Steps) -> Kill:
    if kind is Kind.POINT:
        return draw_point(chance.choice(_MIDDLE_PHASES), chance, steps)
    n = chance.randint(1, 3) if kind is Kind.PART else chance.randint(1, 40)
    return Kill(kind, n=n, wait_s=chance.uniform(0, 2.5 if kind is Kind.EARLY else 1.2))


def draw_point(phase: str, chance: Random, steps: Steps) -> Kill:
    """A step of a phase: rare kinds of steps are as likely as frequent ones."""
    if phase in _ONLY_AFTER_A_KILL:
        return Kill(Kind.POINT, phase=phase, step=chance.randrange(_ONLY_AFTER_A_KILL[phase]))
    of_kind = chance.choice(sorted(set(steps[phase])))
    places = [number for number, kind in enumerate(steps[phase]) if kind == of_kind]
    if phase == "flush of the journal":  # a start that finds answers in the journal writes less
        places = places[: max(1, len(places) // 4)]
    if phase == "dropping of the journal":
        places = places[:_DROPPED_PARTS]
    return Kill(Kind.POINT, phase=phase, step=chance.choice(places))


def strike(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    """Wait for the moment and do it; the driver has ended when this is through.

    Yields:
        What is wrong already: a second start that was not refused, an engine whose death stopped the driver.
    """
    yield from _STRIKES.get(kill.kind, _wait)(kill, start, project)
    if start.process.poll() is None:
        start.wait()


def _wait(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    """The driver was told where to die, or has been."""
    yield from ()


def _kill_driver(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    if _answered(start, kill.n):
        start.kill()
    yield from ()


def _kill_after_part(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    parts = project.out / "journal" / "answers"
    n_before = len(list(parts.glob("*.parquet")))
    if start.until(lambda: len(list(parts.glob("*.parquet"))) >= n_before + kill.n):
        start.kill()
    yield from ()


def _kill_early(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    end_s = time.monotonic() + kill.wait_s
    if start.until(lambda: time.monotonic() >= end_s):
        start.kill()
    yield from ()


def _kill_family(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    if _answered(start, kill.n):
        family = start.look()
        start.process.kill()
        _kill_all(family)
    yield from ()


def _kill_engine(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    """The driver goes on: answers come again. Then it is killed, too."""
    if _answered(start, kill.n) and (engines := start.engines()):
        _kill_all(engines)
        start.is_struck = True
        if _answered(start, start.count("answer") + _GOES_ON):
            start.kill()
        elif start.wait() != 0:
            yield f"the driver ended with {start.wait()} when its engine was killed"


def _kill_both(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    """A restart may take minutes: what came before it is kept by then."""
    if _answered(start, kill.n):
        _kill_all(start.engines())
    if start.until(lambda: "; restart 1 of" in start.printed()):
        answers = {words[1] for words in start.entries("answer")}
        time.sleep(kill.wait_s)
        start.kill()
        if held := answers - load_kept(project.out).answers:
            yield f"{len(held)} answers were held while the engine was restarted"


def _drain(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    if _answered(start, kill.n):
        start.kill(signal.SIGTERM)
    yield from ()


def _drain_twice(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    if _answered(start, kill.n):
        start.kill(signal.SIGTERM)
        time.sleep(_ANOTHER_REQUEST_S)
        start.kill(signal.SIGTERM)
    yield from ()


def _start_beside(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    """The driver stands still meanwhile, so that all that changes is the other's doing."""
    if _answered(start, kill.n):
        start.kill(signal.SIGSTOP)
        before = load_contents(project.out)
        refused = run_beside(project)
        after = load_contents(project.out)
        start.kill(signal.SIGCONT)
        if refused.returncode != TryAgainError.exit_code or "holds" not in refused.stderr:
            yield f"a second start ended with {refused.returncode}: {refused.stderr[-500:]}"
        if changed := sorted(dict(set(before.items()) ^ set(after.items()))):
            yield f"a second start changed {changed}"
        if _answered(start, start.count("answer") + _GOES_ON):
            start.kill()


def _start_together(kill: Kill, start: Start, project: Project) -> Iterator[str]:
    """One of two is refused, and the other works as if it were alone."""
    with Start(project) as other:
        both = (start, other)
        start.until(lambda: other.process.poll() is not None)
        codes = [one.process.poll() for one in both]
        if sorted(code is None for code in codes) != [False, True] or TryAgainError.exit_code not in codes:
            yield f"two starts at once ended with {codes}, one refusal expected"
        for one in both:
            if one.process.poll() is None and _answered(one, kill.n):
                one.kill()
            one.wait()
        start.descendants.update(other.descendants)


_STRIKES: Mapping[Kind, Callable[[Kill, Start, Project], Iterator[str]]] = {
    Kind.DRIVER: _kill_driver,
    Kind.PART: _kill_after_part,
    Kind.EARLY: _kill_early,
    Kind.FAMILY: _kill_family,
    Kind.ENGINE: _kill_engine,
    Kind.RESTART: _kill_both,
    Kind.DRAIN: _drain,
    Kind.TWICE: _drain_twice,
    Kind.BESIDE: _start_beside,
    Kind.TOGETHER: _start_together,
}


def _answered(start: Start, n: int) -> bool:
    return start.until(lambda: start.count("answer") >= n)


def _kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
