"""A small project of text documents with a rehearsal engine, run in this process: for tests of whole runs."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.flow import plan
from pipeline.flow.local import run_job
from pipeline.flow.options import EVERYTHING, RunOptions
from pipeline.flow.stop import Stop
from pipeline.flow.watcher import Watcher
from pipeline.job import load_job
from pipeline.reports.ledger import Ledger
from pipeline.tables.current import list_runs, load_current

SCHEMA = {
    "type": "object",
    "properties": {
        "who": {"type": ["string", "null"], "maxLength": 20},
        "amount": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["who", "amount"],
    "additionalProperties": False,
}
JOB = """
name = "nightly"
[input]
paths = ["in"]
n_workers = 1
[[tasks]]
name = "first"
instructions = "Who signed?"
schema = "first.json"
max_tokens = 200
[[tasks]]
name = "second"
instructions = "Who paid?"
schema = "second.json"
max_tokens = 200
[engine]
kind = "synthetic"
[chunking]
max_tokens = 60
[output]
folder = "out"
"""
# It never changes, and half a second a run would go into it. mypy: the name is imported there, not made.
plan.load_tokenizer = cache(plan.load_tokenizer)  # type: ignore[attr-defined]
VARYING = {"run_id", "_run_id", "answered_run_id", "duration_s", "n_cached_tokens"}


class Notes(Watcher):
    """A watcher that remembers what was said, and may do something at each update."""

    def __init__(self, stop: Stop, stop_after: int | None = None) -> None:
        self.said: list[str] = []
        self._stop, self._stop_after = stop, stop_after

    def say(self, text: str) -> None:
        self.said.append(text)

    def update(self, ledger: Ledger, n_sources: int) -> None:
        if self._stop_after is not None and ledger.n_answered >= self._stop_after:
            self._stop.ask("SIGTERM")


class Project:
    """A job file, its schemas and its documents in one folder."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder, self.out = folder, folder / "out"
        (folder / "in").mkdir(parents=True)
        (folder / "job.toml").write_text(JOB)
        for name in ("first", "second"):
            (folder / f"{name}.json").write_text(json.dumps(SCHEMA))
        for name in names:
            self.write(name)
        self.said: list[str] = []

    def write(self, name: str, text: str = "") -> None:
        """A document of some paragraphs, in three chunks or so."""
        lines = [f"Paragraph {number} of {name}: {text or 'the parties agree to meet again'}." for number in range(9)]
        (self.folder / "in" / f"{name}.txt").write_text("\n\n".join(lines))

    def change(self, old: str, new: str) -> None:
        """Edit the job file."""
        job = (self.folder / "job.toml").read_text()
        assert old in job
        (self.folder / "job.toml").write_text(job.replace(old, new))
        tomllib.loads(job)

    def run(self, *overrides: str, options: RunOptions = EVERYTHING, stop_after: int | None = None) -> dict[str, Any]:
        """One run; what it said is in `said`."""
        stop = Stop()
        watcher = Notes(stop, stop_after)
        made = plan.build_plan(load_job(self.folder / "job.toml", overrides=overrides), options)
        report, path = run_job(made, options, watcher, stop)
        assert json.loads(path.read_text()) == report
        assert all(item["closes"] for item in report["sums"])  # type: ignore[attr-defined]
        self.said = watcher.said
        return report

    def rows(self, table: str = "records/first", *, varying: bool = False) -> list[dict[str, Any]]:
        """The current lines of a table, without what differs from run to run."""
        view = load_current(self.out, list_runs(self.out))[table]
        return list(view.iter_rows(lambda name: varying or name not in VARYING))

    def partition(self, run_id: object, table: str = "records/first") -> list[dict[str, Any]]:
        """All lines that one run wrote."""
        rows: list[dict[str, Any]] = (
            pq.ParquetFile(self.out / table / f"run={run_id}" / "part-00000.parquet").read().to_pylist()
        )
        return rows
