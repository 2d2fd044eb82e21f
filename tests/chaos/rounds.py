"""A round: one project, started and killed again and again, then left alone; and what must hold afterwards."""

import json
import shutil
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
from checks import check_same_lines, check_same_tables, find_contradictions, find_problems
from kills import IS_NO_KILL, Kill, Kind, Steps, plan_kills, plan_real_kills, strike
from scenarios import REAL, Scenario, listed_sources, make_project
from starts import Kept, Project, Start, column, find_survivors, load_kept

from pipeline.errors import RejectCode, TryAgainError
from pipeline.tables.current import list_runs

_LAST_STARTS = 3
_SLACK_S = 1.5
"""What a machine that is busy may add to the age at which the journal is written."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An undisturbed run of a scenario.

    Attributes:
        project: Where it ran.
        steps: What it did to the output folder.
    """

    project: Project
    steps: Steps


@dataclass(frozen=True, slots=True)
class Struck:
    """A kill that came about.

    Attributes:
        name: Its kind, and where.
        is_kill: Whether something was killed, and not only asked to end.
        n_lost: Answers that were paid for and have to be paid for again.
        max_answers: How many could be held at most.
    """

    name: str
    is_kill: bool
    n_lost: int
    max_answers: int


@dataclass(slots=True)
class Round:
    """What was done in a round, and what is wrong after it.

    Attributes:
        name: Scenario and number; with the seed, enough to repeat it.
        struck: Kills in their order.
        n_starts: Starts in all.
        n_missed: Kills whose moment did not come.
        problems: Sentences; none when all is well.
    """

    name: str
    struck: list[Struck] = field(default_factory=list)
    n_starts: int = 0
    n_missed: int = 0
    problems: list[str] = field(default_factory=list)


def make_reference(folder: Path, scenario: Scenario) -> Reference:
    """Run a scenario to its end, undisturbed.

    Raises:
        RuntimeError: It did not end well: there is nothing to compare with.
    """
    project = _new_project(folder / f"reference-{scenario.name}", scenario)
    steps = folder / f"reference-{scenario.name}.steps"
    with Start(project, steps=steps) as start:
        code = start.wait()
    problems = [*_check_misfortune(project, scenario)] if code == 0 else [f"it ended with {code}"]
    if problems:
        raise RuntimeError(f"the undisturbed run of {scenario.name!r} in {project.folder}: {'; '.join(problems)}")
    by_phase: dict[str, list[str]] = defaultdict(list)
    for phase, kind in map(json.loads, steps.read_text().splitlines()):
        by_phase[phase].append(kind)
    return Reference(project, by_phase)


def play_round(folder: Path, index: int, seed: int, scenario: Scenario, reference: Reference) -> Round:
    """One round of a scenario against its undisturbed run.

    Args:
        folder: Its project is made below; removed when all is well.
        index: Number of the round.
        seed: Of all rounds.
        scenario: Its job.
        reference: From `make_reference`.
    """
    chance = Random(f"{seed} {index} {scenario.name}")
    project = _new_project(folder / f"round-{index}-{scenario.name}", scenario)
    kills = plan_kills(index, chance, scenario, reference.steps)
    played = Play(project, scenario, f"round {index}, {scenario.name}").play(kills)
    if not played.problems:
        several = sum((project.out / "sources" / f"run={run}").is_dir() for run in list_runs(project.out)) > 1
        played.problems += (check_same_lines if several else check_same_tables)(project.out, reference.project.out)
    if not played.problems:
        shutil.rmtree(project.folder)
    return played


def play_real_round(folder: Path, n_kills: int, seed: int) -> Round:
    """A round with the real engine; what it answers depends on what it runs at the same time, so values may differ."""
    project = _new_project(folder / "round-real", REAL)
    played = Play(project, REAL, "round with the real engine").play(plan_real_kills(n_kills, Random(f"{seed} real")))
    if not played.problems:
        shutil.rmtree(project.folder)
    return played


def _check_misfortune(project: Project, scenario: Scenario) -> Iterator[str]:
    """An undisturbed run is well, and met what its scenario is there for."""
    yield from find_problems(project.out, listed_sources(project.folder))
    report = json.loads((project.out / "runs" / f"{list_runs(project.out)[-1]}.json").read_text())
    met = (report["model"]["deaths"] > 0, RejectCode.QUARANTINED in report["rejects"])
    if met != (not scenario.is_calm, "poison" in scenario.misfortune):
        yield f"deaths and quarantined prompts: {met}; if there should be some, raise the ratio {scenario.misfortune}"


class Play:
    """One project while it is started and killed."""

    def __init__(self, project: Project, scenario: Scenario, name: str) -> None:
        self._project, self._scenario = project, scenario
        self._round = Round(name)
        self._seen: dict[int, psutil.Process] = {}

    def play(self, kills: Sequence[Kill]) -> Round:
        """Start and kill, then start until a start is through; then look at everything but the values of rows."""
        for kill in kills:
            code = self._start(kill)
            if code == 0 or self._round.problems:
                break
        for _ in range(_LAST_STARTS):
            if (code := self._start(None)) == 0 or self._round.problems:
                break
        if code != 0 and not self._round.problems:
            self._round.problems.append(f"left alone, the last start ended with {code}: {self._project.last_words()}")
        if not self._round.problems:
            self._round.problems += find_problems(self._project.out, listed_sources(self._project.folder))
        survivors = find_survivors(self._project, self._seen)
        self._round.problems += [f"still there: {process}" for process in survivors]
        return self._round

    def _start(self, kill: Kill | None) -> int:
        """One start, and what it did with what was there before; gives its exit code."""
        before, project = load_kept(self._project.out), self._project
        self._round.n_starts += 1
        phase, step = (None, 0) if kill is None else (kill.phase, kill.step)
        with Start(project, phase, step) as start:
            wrong = [] if kill is None else list(strike(kill, start, project))
            code = start.wait()
            self._seen.update(start.descendants)
            account = Account(start, before, load_kept(project.out))
            was_killed = code == -signal.SIGKILL or (kill is not None and kill.kind is Kind.TOGETHER)
            wrong += account.find_problems(self._scenario, was_killed=was_killed)
        wrong += find_contradictions(project.out)
        if code == 0:
            wrong += self._check_known(start, before)
        elif code not in (-signal.SIGKILL, TryAgainError.exit_code):
            wrong.append(f"ended with {code}: {project.last_words()}")
        self._round.problems += [f"start {self._round.n_starts} ({_name(kill, start)}): {what}" for what in wrong]
        if kill is not None:
            self._note(kill, start, code, len(account.lost))
        return code

    def _note(self, kill: Kill, start: Start, code: int, n_lost: int) -> None:
        if code == 0 and not start.is_struck:
            self._round.n_missed += 1
        else:
            is_kill = kill.kind not in IS_NO_KILL
            self._round.struck.append(Struck(_name(kill, start), is_kill, n_lost, self._scenario.max_answers))

    def _check_known(self, start: Start, before: Kept) -> Iterator[str]:
        """A run that did all there was to do says how many documents it did not have to read."""
        out = self._project.out
        run = list_runs(out)[-1]
        report = json.loads((out / "runs" / f"{run}.json").read_text())
        settled = column(out, run, "documents", "doc_key")
        n_known, n_read = sum(key in before.documents for key in settled), start.count("read")
        if (report["counts"]["known_documents"], n_read) != (n_known, len(settled) - n_known):
            yield f"of {len(settled)} documents {n_known} were known, {n_read} were read, and the report says other"


@dataclass(frozen=True, slots=True)
class Account:
    """What a start paid for, against what was kept before it and after it.

    Attributes:
        start: It has ended.
        before: What was kept before.
        after: What is kept now.
    """

    start: Start
    before: Kept
    after: Kept

    @property
    def lost(self) -> list[float]:
        """When the answers came, in monotonic seconds, that have to be paid for again."""
        return [time_s for time_s, key in self.start.entries("answer") if key not in self.after.answers]

    def find_problems(self, scenario: Scenario, *, was_killed: bool) -> Iterator[str]:
        """Nothing kept is lost, asked or read again; what is lost was held no more and no longer than it may."""
        for what in ("answers", "documents"):
            if gone := getattr(self.before, what) - getattr(self.after, what):
                yield f"{len(gone)} {what} that were kept are gone"
        for what, kept in (
            ("ask", self.before.answers),
            ("answer", self.before.answers),
            ("read", self.before.documents),
        ):
            keys = [words[1] for words in self.start.entries(what)]
            if again := kept & set(keys):
                yield f"{len(again)} times '{what}' of what was kept"
            if len(set(keys)) < len(keys):
                yield f"{len(keys) - len(set(keys))} times '{what}' twice in one start"
        lost = self.lost
        if len(lost) > (scenario.max_answers if was_killed else 0):
            yield f"{len(lost)} answers lost, journal.max_answers is {scenario.max_answers}"
        if lost and self.start.ended_s - min(lost) > scenario.max_seconds + _SLACK_S:
            yield f"an answer {self.start.ended_s - min(lost):.1f} s old was lost"


def _name(kill: Kill | None, start: Start) -> str:
    """The kind of a kill; of a step on the disk, which."""
    if kill is None:
        return "left alone"
    died = start.entries("died")
    return f"{died[0][1]}: before {died[0][2].partition(' ')[0]}" if died else kill.kind.value


def _new_project(folder: Path, scenario: Scenario) -> Project:
    make_project(folder, scenario)
    return Project(folder, folder.with_suffix(".log"))
