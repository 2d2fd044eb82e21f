"""How the engine is fed: it loads while documents are read, and has all it can run and no more."""

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import Notes, Project

from pipeline.engines.engine import Engine, Generation
from pipeline.errors import EngineError, Reject
from pipeline.flow import intake, running
from pipeline.flow import plan as planning
from pipeline.flow.local import run_job
from pipeline.flow.options import EVERYTHING
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.prompts.prompt import Prompt
from pipeline.readers.document import Document
from pipeline.readers.read import read_source
from pipeline.reports.ledger import Ledger
from pipeline.sources import Source

PATIENCE_S = 30.0
READING_S = 1.5


class HeldEngine:
    """The rehearsal engine, whose start waits for something, and which notes what it has in flight."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.may_start, self.is_closed = threading.Event(), threading.Event()
        self.at_close: Callable[[], None] = lambda: None
        self.window_limit: int | None = None
        self.window_tokens: int | None = None
        self.in_flight: dict[str, int] = {}
        self.most_prompts = self.most_tokens = self.n_starts = 0
        self.order: list[int] = []

    @property
    def window(self) -> int:
        return self.window_limit or self.engine.window

    def describe(self) -> dict[str, str]:
        return self.engine.describe()

    def start(self) -> None:
        self.n_starts += 1
        end_s = time.monotonic() + PATIENCE_S
        while not self.may_start.wait(0.01):
            if self.is_closed.is_set():
                raise EngineError("closed while it started")
            assert time.monotonic() < end_s, "nothing came that lets it start"
        self.engine.start()

    def submit(self, prompt: Prompt) -> None:
        self.in_flight[prompt.prompt_id] = len(prompt.token_ids)
        self.order.append(len(prompt.token_ids))
        self.most_prompts = max(self.most_prompts, len(self.in_flight))
        self.most_tokens = max(self.most_tokens, sum(self.in_flight.values()))
        self.engine.submit(prompt)

    def collect(self, timeout_s: float) -> list[Generation]:
        found = self.engine.collect(timeout_s)
        for generation in found:
            del self.in_flight[generation.prompt_id]
        return found

    def close(self) -> None:
        self.at_close()
        self.is_closed.set()
        self.engine.close()


class Opener(Notes):
    """Does something at each update of the books."""

    def __init__(self, stop: Stop, at_update: Callable[[Ledger], None]) -> None:
        super().__init__(stop)
        self.at_update = at_update

    def update(self, ledger: Ledger, n_sources: int) -> None:
        self.at_update(ledger)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[HeldEngine]:
    """The engines that were opened, held."""
    opened: list[HeldEngine] = []
    plain = planning.open_engine  # type: ignore[attr-defined]  # imported there, not made

    def open_held(*arguments: Any) -> HeldEngine:
        opened.append(HeldEngine(plain(*arguments)))
        return opened[-1]

    monkeypatch.setattr(planning, "open_engine", open_held)
    return opened


def read_slowly(source: Source) -> Document | Reject:
    time.sleep(READING_S)
    return read_source(source)


def run(
    project: Project, at_update: Callable[[Ledger], None], stop: Stop | None = None, **changes: Any
) -> dict[str, Any]:
    made = planning.build_plan(load_job(project.folder / "job.toml"), EVERYTHING)
    stop = stop or Stop()
    report, _ = run_job(dataclasses.replace(made, **changes), EVERYTHING, Opener(stop, at_update), stop)
    assert all(item["closes"] for item in report["sums"])  # type: ignore[attr-defined]
    return report


def test_all_documents_are_read_while_the_model_loads(tmp_path: Path, held: list[HeldEngine]) -> None:
    project = Project(tmp_path, *(f"d{n:02}" for n in range(30)))

    def open_when_all_are_read(ledger: Ledger) -> None:
        if ledger.n_documents == 30:
            held[0].may_start.set()

    report = run(project, open_when_all_are_read)
    assert report["counts"]["documents"] == 30
    assert report["seconds"]["starved"] == 0.0
    assert report["timeline"]["engine_start"] < report["timeline"]["engine_ready"]


def test_the_model_loads_while_the_first_document_takes_long(
    tmp_path: Path, held: list[HeldEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_EARLY_S", READING_S / 4)
    project = Project(tmp_path, "long")
    begun: list[float] = []

    def note_start(ledger: Ledger) -> None:
        if held[0].n_starts and not begun:
            assert ledger.n_documents == 0
            begun.append(time.monotonic())
            held[0].may_start.set()

    report = run(project, note_start, read=read_slowly)
    timeline = report["timeline"]
    assert timeline["engine_start"] < timeline["first_prompt"]
    assert timeline["engine_ready"] < timeline["first_submitted"]
    assert report["seconds"]["waiting"] > 0
    assert report["counts"]["records"] == report["counts"]["prompts"] > 0


def test_a_run_over_broken_files_loads_no_model(
    tmp_path: Path, held: list[HeldEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_EARLY_S", PATIENCE_S)  # a busy machine may take longer than usual to refuse them
    project = Project(tmp_path)
    for n in range(5):
        (tmp_path / "in" / f"b{n}.pdf").write_bytes(b"no PDF at all")
    report = run(project, lambda ledger: None)
    assert report["counts"]["rejected_sources"] == 5
    assert not held[0].n_starts


def test_a_run_that_is_stopped_while_the_model_loads_commits_and_ends_it(
    tmp_path: Path, held: list[HeldEngine]
) -> None:
    project, stop = Project(tmp_path, "a", "b"), Stop()
    n_reports: list[int] = []  # at each call to close: ending vLLM's load takes longer than a scheduler's patience

    def stop_when_it_loads(ledger: Ledger) -> None:
        if held[0].n_starts and ledger.n_documents == 2:
            held[0].at_close = lambda: n_reports.append(len(list((project.out / "runs").glob("*.json"))))
            stop.ask("SIGTERM")

    report = run(project, stop_when_it_loads, stop)
    assert report["exit_code"] == 75
    assert held[0].is_closed.is_set()
    assert min(n_reports) == 1
    assert stop.is_committed
    assert report["counts"]["left"] == 2
    assert report["counts"]["attempts"] == 0
    again = run(project, lambda ledger: held[1].may_start.set())
    assert again["counts"]["documents"] == again["counts"]["known_documents"] == 2


@pytest.mark.parametrize("most_tokens", [1, 700, None])
def test_it_has_what_it_can_run_and_no_more(tmp_path: Path, held: list[HeldEngine], most_tokens: int | None) -> None:
    project = Project(tmp_path, *"abcdef")
    project.change('kind = "synthetic"', 'kind = "synthetic"\nsynthetic = { latency_s = 0.02, n_parallel = 8 }')

    def prepare(ledger: Ledger) -> None:
        held[0].window_limit, held[0].window_tokens = 12, most_tokens
        if ledger.n_documents == 6:
            held[0].may_start.set()

    report = run(project, prepare)
    engine = held[0]
    assert report["counts"]["records"] == report["counts"]["prompts"] == len(engine.order) >= 36
    longest = max(engine.order)
    if most_tokens is None:
        assert engine.most_prompts == 12
    elif most_tokens == 1:
        assert engine.most_prompts == 1  # never none, however long one is
    else:
        assert most_tokens <= engine.most_tokens  # it is filled up
        # Two tasks of a chunk share it, so that it is counted once: at most twice as many tokens are sent.
        assert engine.most_tokens <= 2 * (most_tokens + longest)


def test_the_last_prompts_are_the_short_ones(tmp_path: Path, held: list[HeldEngine]) -> None:
    project = Project(tmp_path)
    for n in range(20):
        text = " ".join(["words"] * (5 + n % 7 * 5))
        (tmp_path / "in" / f"d{n:02}.txt").write_text(text)

    def prepare(ledger: Ledger) -> None:
        held[0].window_limit = 4
        if ledger.n_documents == 20:
            held[0].may_start.set()

    run(project, prepare)
    first, last = held[0].order[:-8:2], held[0].order[-8::2]  # every other: two tasks a chunk
    assert last == sorted(last, reverse=True)
    assert first != sorted(first, reverse=True)


def test_the_one_new_document_does_not_wait_until_all_others_are_looked_at(
    tmp_path: Path, held: list[HeldEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, *"abcdefghijklmnopqrst")
    run(project, lambda ledger: held[0].may_start.set())
    project.write("a", "something else")
    monkeypatch.setattr(intake, "_UNCHANGED_TOGETHER", 1)
    monkeypatch.setattr(intake, "load_source", _slowly(intake.load_source))  # type: ignore[attr-defined]
    before: list[int] = []

    def note_first(ledger: Ledger) -> None:
        if ledger.n_documents and not before:
            before.append(ledger.n_unchanged)
        held[1].may_start.set()

    report = run(project, note_first)
    assert report["counts"]["unchanged"] == 19
    assert before[0] < 19


def _slowly(work: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*arguments: Any) -> Any:
        time.sleep(0.3)
        return work(*arguments)

    return slow
