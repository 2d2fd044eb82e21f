"""The checks can fail: a bug that loses or doubles something is planted in the product, and the run exits with 70.

What a run that failed so had paid for is in the journal; with the bug gone the next one asks nothing again.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from project import Project

from pipeline.cli import main
from pipeline.engines.engine import Generation
from pipeline.engines.supervised import SupervisedEngine
from pipeline.flow import climbing
from pipeline.flow.intake import Intake
from pipeline.flow.open_document import Asked
from pipeline.flow.settlement import Settlement
from pipeline.prompts.prompt import Chunk
from pipeline.prompts.splitting import split
from pipeline.tables.journal import Journal
from pipeline.tables.layout import Line
from pipeline.tables.lines import PaidAnswer
from pipeline.tables.staged import StagedTable

Plant = Callable[[pytest.MonkeyPatch], None]


def plant_in_table(name: str, n_times: int) -> Plant:
    """Every second line of a table is written `n_times` instead of once."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        append = StagedTable.append
        n_calls = 0

        def planted(self: StagedTable, line: Line, ordinal: int, size_bytes: int = 0) -> None:
            nonlocal n_calls
            n_calls += name in str(self.path)
            for _ in range(n_times if name in str(self.path) and n_calls % 2 else 1):
                append(self, line, ordinal, size_bytes)

        patch.setattr(StagedTable, "append", planted)

    return plant


def plant_in_journal(patch: pytest.MonkeyPatch) -> None:
    """An answer that came back is not kept."""
    append = Journal.append
    lost: list[Line] = []

    def planted(self: Journal, line: Line, size_bytes: int = 0) -> None:
        if "finish_reason" in line and not lost:
            lost.append(line)
        else:
            append(self, line, size_bytes)

    patch.setattr(Journal, "append", planted)


def plant_double_answer(patch: pytest.MonkeyPatch) -> None:
    """The engine gives one generation twice."""
    collect = SupervisedEngine.collect

    def planted(self: SupervisedEngine, timeout_s: float) -> list[Generation]:
        found = collect(self, timeout_s)
        return [*found, *found[:1]]

    patch.setattr(SupervisedEngine, "collect", planted)


def plant_lost_source(patch: pytest.MonkeyPatch) -> None:
    """The readers forget a source."""
    items = Intake.items
    patch.setattr(
        Intake, "items", lambda self, stopped: (item for n, item in enumerate(items(self, stopped)) if n != 1)
    )


def plant_double_source(patch: pytest.MonkeyPatch) -> None:
    """The readers give a source twice."""
    items = Intake.items
    patch.setattr(Intake, "items", lambda self, stopped: (item for one in items(self, stopped) for item in (one, one)))


def plant_lost_question(patch: pytest.MonkeyPatch) -> None:
    """A document counts as whole when its first answer is there."""
    settle = Settlement.settle

    def planted(self: Settlement, *args: object, **options: object) -> object:
        for document in self._open.values():
            document.n_final = document.n_questions - 1
        return settle(self, *args, **options)  # type: ignore[arg-type]

    patch.setattr(Settlement, "settle", planted)


def plant_in_halves(first: int, second: int) -> Plant:
    """A chunk is split into halves that lack some of it, or have some twice: their borders are moved."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def planted(chunk: Chunk) -> tuple[Chunk, Chunk] | None:
            halves = split(chunk)
            if halves is None:
                return None
            one, other = halves
            return replace(one, end=one.end + first), replace(other, new_start=other.new_start + second)

        patch.setattr(climbing, "split", planted)

    return plant


def plant_lost_half(patch: pytest.MonkeyPatch) -> None:
    """Only one half of a chunk is asked."""
    settle = Settlement.settle

    def planted(self: Settlement, asked: Asked, paid: PaidAnswer, *, is_reused: bool) -> list[Asked]:
        found = settle(self, asked, paid, is_reused=is_reused)
        asked.document.n_final += len(found) == 2
        return found[:1]

    patch.setattr(Settlement, "settle", planted)


CUT = ("engine.synthetic.truncated_ratio=0.5", "retries.max_attempts=1")


PLANTS: dict[str, tuple[Plant, str]] = {
    "lost response": (plant_in_table("responses", 0), "attempts = lines of responses/"),
    "double response": (plant_in_table("responses", 2), "attempts = lines of responses/"),
    "lost row": (plant_in_table("records/first", 0), "rows = lines of records/"),
    "double row": (plant_in_table("records/second", 2), "rows = lines of records/"),
    "lost document": (plant_in_table("documents", 0), "settled documents = lines of documents/"),
    "double source": (plant_in_table("sources", 2), "lines of sources/"),
    "lost reject": (plant_in_table("rejects", 0), "rejects = lines of rejects/"),
    "answer not journalled": (plant_in_journal, "answers of the engine = answers in the journal"),
    "answer given twice": (plant_double_answer, "which was not asked, or twice"),
    "source forgotten": (plant_lost_source, "left without being stopped"),
    "source given twice": (plant_double_source, "came out of the readers twice"),
    "question forgotten": (plant_lost_question, "attempts = lines of responses/"),
    "gap between halves": (plant_in_halves(0, 1), "characters of what was split"),
    "halves that overlap": (plant_in_halves(1, 0), "characters of what was split"),
    "half forgotten": (plant_lost_half, "2 x split = halves"),
}


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """The command line sets what signals mean for its process, which here goes on."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_a_planted_fault_ends_the_run_with_70_and_commits_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project(tmp_path, "a", "b", "c")
    (project.folder / "in" / "bad.txt").write_bytes(b"")
    plant, sentence = PLANTS[name]
    words = [word for setting in CUT if "hal" in name for word in ("--set", setting)]
    monkeypatch.setattr(sys, "argv", ["pipeline", "run", str(project.folder / "job.toml"), *words])
    with monkeypatch.context() as patch:
        plant(patch)
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 70
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not list(project.out.rglob("part-*.parquet"))
    assert not list((project.out / "runs").glob("*"))
    report = project.run()
    assert report["exit_code"] == 0
    assert len(project.rows()) == 3
