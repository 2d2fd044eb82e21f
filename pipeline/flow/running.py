"""The middle of a run: questions to the engine, answers into the journal and on to their documents."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.engines.engine import Generation
from pipeline.engines.supervised import SupervisedEngine
from pipeline.errors import ConservationError
from pipeline.flow.background import Background
from pipeline.flow.intake import Item, LostSource, ReadyDocument, Unchanged
from pipeline.flow.journals import Journals
from pipeline.flow.open_document import Asked, OpenDocument
from pipeline.flow.plan import Plan
from pipeline.flow.recall import Recall
from pipeline.flow.settlement import Settlement
from pipeline.flow.stop import Stop
from pipeline.flow.watcher import Watcher
from pipeline.tables.lines import PaidAnswer

_COLLECT_S = 0.05
_WAIT_FOR_INTAKE_S = 0.1


@dataclass(slots=True)
class Clock:
    """When the phases of a run began, monotonic seconds; 0: not yet, or never."""

    start_s: float
    engine_start_s: float = 0.0
    engine_ready_s: float = 0.0
    end_s: float = 0.0

    def seconds(self) -> dict[str, float]:
        """The length of each phase; without an engine, everything is before it."""
        started = self.engine_start_s or self.end_s
        ready = self.engine_ready_s or self.end_s
        return {
            "before_engine": started - self.start_s,
            "engine_start": ready - started,
            "generating": self.end_s - ready,
        }


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of.

    Attributes:
        plan: What to do.
        run_id: Its name.
        settlement: Where answers go.
        journals: Where they are kept at once.
        recall: What was done before.
        engine: What answers.
        intake: What comes in.
        watcher: Told how it goes.
        stop: Says when to end early.
    """

    plan: Plan
    run_id: str
    settlement: Settlement
    journals: Journals
    recall: Recall
    engine: SupervisedEngine
    intake: Background[Item]
    watcher: Watcher
    stop: Stop


class Running:
    """Moves things from part to part until nothing is left to do, or until it is stopped.

    Attributes:
        clock: When its phases began.
    """

    def __init__(self, parts: Parts) -> None:
        self.clock = Clock(time.monotonic())
        self._parts = parts
        self._ledger = parts.settlement.ledger
        self._waiting: deque[Iterator[Asked]] = deque()
        self._again: deque[Asked] = deque()
        self._in_flight: dict[str, Asked] = {}

    @property
    def n_in_flight(self) -> int:
        """Attempts that the engine has; more than none after `go` only when they were given up."""
        return len(self._in_flight)

    def go(self) -> None:
        """From the first source to the last answer. What came back is in the journal, however this ends."""
        stop = self._parts.stop
        try:
            while not self._is_done() and not stop.stopped():
                self._fill_engine()
                self._gather()
            if not self._is_done():
                self._drain()
        finally:
            self._parts.journals.flush()
            self.clock.end_s = time.monotonic()

    def _is_done(self) -> bool:
        return not (self._in_flight or self._again or self._waiting) and self._parts.intake.exhausted

    def _drain(self) -> None:
        """Wait for what the engine has, as long as there is time; begin nothing."""
        parts = self._parts
        parts.intake.stop()
        parts.journals.flush()
        parts.watcher.say(
            f"Stopping ({parts.stop.reason}): waiting for {self.n_in_flight} answers, then committing what is whole."
        )
        end_s = time.monotonic() + parts.plan.job.engine.drain_timeout_s
        while self._in_flight and not (parts.engine.is_down or parts.stop.must_leave() or time.monotonic() >= end_s):
            self._gather()

    def _fill_engine(self) -> None:
        """Submit until the engine has all it can run, or nothing is ready. What was answered before is settled here."""
        parts = self._parts
        while len(self._in_flight) < parts.engine.window and not parts.stop.stopped():
            asked = self._next_asked()
            if asked is None:
                return
            paid = parts.recall.answer(self._key(asked), asked.prompt.prompt_id)
            if paid is not None:
                self._ledger.n_reused += 1
                parts.settlement.begin(asked)
                self._settle(asked, paid, is_reused=True)
            elif self._start_engine():
                self._ledger.n_asked += 1
                parts.settlement.begin(asked)
                self._in_flight[asked.prompt.prompt_id] = asked
                parts.engine.submit(asked.prompt)
            else:
                self._again.appendleft(asked)
            self._tell()

    def _start_engine(self) -> bool:
        """Load the model, once; False when the run was stopped meanwhile."""
        if not self.clock.engine_ready_s:
            self.clock.engine_start_s = time.monotonic()
            plan = self._parts.plan
            is_real = plan.job.engine.kind == "vllm"
            what = f"Loading the model {plan.model.name}" if is_real else f"Starting the {plan.job.engine.kind} engine"
            self._parts.watcher.say(f"{what} ...")
            self._parts.journals.flush()  # loading may take minutes, in which nothing else is done
            if not self._parts.engine.start():
                return False
            self.clock.engine_ready_s = time.monotonic()
        return True

    def _next_asked(self) -> Asked | None:
        """The next attempt: one that has to be tried again, else the next question of the document at hand."""
        if self._again:
            return self._again.popleft()
        while True:
            if self._waiting and (asked := next(self._waiting[0], None)) is not None:
                return asked
            if self._waiting:
                self._waiting.popleft()
            elif not self._take_in(timeout_s=0.0):
                return None

    def _gather(self) -> None:
        """Take what the engine has ready; with nothing in flight, wait for the intake."""
        if self._in_flight:
            n_deaths = self._parts.engine.n_deaths
            for generation in self._parts.engine.collect(_COLLECT_S):
                self._take_answer(generation)
            if self._parts.engine.n_deaths > n_deaths:
                self._parts.journals.flush()  # the next `collect` restarts the engine, which may take minutes
        elif not (self._again or self._waiting):
            self._take_in(_WAIT_FOR_INTAKE_S)
        self._tell()

    def _take_in(self, timeout_s: float) -> bool:
        """One item from the intake, if one comes in time."""
        item = self._parts.intake.poll(timeout_s)
        if isinstance(item, Unchanged):
            self._ledger.add_unchanged(item.ordinals, item.n_rejected, item.n_prompts, item.n_rejected_answers)
        elif item is not None:
            self._ledger.account([item.taken.ordinal])
            self._ledger.why[item.taken.why] += 1
            if isinstance(item, LostSource):
                self._parts.settlement.lose(item)
            else:
                self._open(item)
        return item is not None

    def _open(self, ready: ReadyDocument) -> None:
        if not ready.was_known:
            self._parts.journals.add_document(ready.document, self._parts.plan.reading)
        document = self._parts.settlement.open(ready)
        if not document.is_whole:
            self._waiting.append(self._iter_asked(document))

    def _iter_asked(self, document: OpenDocument) -> Iterator[Asked]:
        """Chunk by chunk, the tasks of a chunk next to each other: the engine computes their shared part once."""
        for chunk in document.ready.chunks:
            for prompt in self._parts.plan.maker.prompts(chunk):
                yield Asked(prompt, chunk, document)

    def _take_answer(self, generation: Generation) -> None:
        """An attempt came back: into the journal, then to its document."""
        asked = self._in_flight.pop(generation.prompt_id, None)
        if asked is None:
            raise ConservationError(f"The engine answered {generation.prompt_id!r}, which was not asked, or twice.")
        self._ledger.add_answered(generation, asked.prompt)
        self._parts.stop.note_answer(generation.duration_s)
        paid = PaidAnswer(self._key(asked), generation, self._parts.run_id)
        self._parts.journals.add_answer(paid)
        self._settle(asked, paid, is_reused=False)

    def _settle(self, asked: Asked, paid: PaidAnswer, *, is_reused: bool) -> None:
        self._again.extend(self._parts.settlement.settle(asked, paid, is_reused=is_reused))

    def _key(self, asked: Asked) -> str:
        return self._parts.recall.key(asked.prompt)

    def _tell(self) -> None:
        self._parts.journals.tick()
        self._parts.watcher.update(self._ledger, self._ledger.n_sources)
