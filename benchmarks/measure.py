"""Runs the pipeline as a child process and looks at it a few times a second: memory, processor time, answers so far.

The driver, its reading processes and its engine are told apart. What is measured is what Linux says of the driver
alone: resident memory (pages of libraries that it shares with others included), and its highest value ever.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

_EVERY_S = 0.2
_USS_EVERY = 3
_READING, _ENGINE = "pipeline.readers.child", "pipeline.engines"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a run.

    Attributes:
        at_s: Seconds since its start.
        driver_bytes: Resident memory of the driver.
        engine_bytes: Of the rehearsal engine's process, summed.
        reading_bytes: Of the reading processes, summed.
        n_answers: Answers that the journal holds.
    """

    at_s: float
    driver_bytes: int
    engine_bytes: int
    reading_bytes: int
    n_answers: int


@dataclass(slots=True)
class Measured:
    """A run, from outside.

    Attributes:
        exit_code: The driver's; negative: the signal that ended it.
        seconds: Wall-clock time from start to end.
        processor_s: Processor time of the driver alone.
        peak_bytes: Highest resident memory of the driver.
        own_peak_bytes: Highest memory of the driver that it shares with no other process, looked at every 0.6 seconds.
        report: The run report; empty when there is none.
        samples: In order, about five a second.
    """

    exit_code: int = 0
    seconds: float = 0.0
    processor_s: float = 0.0
    peak_bytes: int = 0
    own_peak_bytes: int = 0
    report: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    @property
    def peak_mb(self) -> float:
        """Highest resident memory of the driver, in millions of bytes."""
        return self.peak_bytes / 1e6


def measure_run(job: Path, kill_when: Callable[[Sample], bool] = lambda sample: False) -> Measured:
    """Run a job to its end, or until it is to be killed.

    Args:
        job: The job file; its output folder is `out` beside it.
        kill_when: Says whether the driver is killed (SIGKILL) at this moment.
    """
    measured, answers = Measured(), _Answers(job.parent / "out" / "journal" / "answers")
    output = job.parent / "report.json"
    start_s = time.monotonic()
    with output.open("wb") as stdout, (job.parent / "stderr.log").open("wb") as stderr:
        command = [sys.executable, "-m", "pipeline", "run", str(job), "--json"]
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=Path(__file__).parents[1])
        driver = psutil.Process(process.pid)
        while process.poll() is None:
            _look(driver, measured, time.monotonic() - start_s, answers.count())
            if measured.samples and kill_when(measured.samples[-1]):
                process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EVERY_S)
    measured.exit_code, measured.seconds = process.returncode, time.monotonic() - start_s
    measured.report = json.loads(output.read_bytes() or b"{}")
    return measured


def _look(driver: psutil.Process, measured: Measured, at_s: float, n_answers: int) -> None:
    """One sample; none when the driver ends at this moment."""
    try:
        measured.peak_bytes = max(measured.peak_bytes, _high_water_bytes(driver.pid))
        times = driver.cpu_times()
        measured.processor_s = times.user + times.system
        if len(measured.samples) % _USS_EVERY == 0:
            measured.own_peak_bytes = max(measured.own_peak_bytes, driver.memory_full_info().uss)
        resident, engine, reading = driver.memory_info().rss, 0, 0
        if not resident:  # it has ended, and was not waited for yet
            return
        for child in driver.children():
            engine += _size(child, _ENGINE)
            reading += _size(child, _READING)
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return
    measured.samples.append(Sample(at_s, resident, engine, reading, n_answers))


def _size(child: psutil.Process, module: str) -> int:
    """Resident memory of a child that runs this module. Nothing of another, nor of one that has just ended.

    A child that was just forked and is still a copy of the driver runs none.
    """
    try:
        return child.memory_info().rss if any(module in word for word in child.cmdline()) else 0
    except psutil.NoSuchProcess:
        return 0


def _high_water_bytes(pid: int) -> int:
    """The highest resident memory so far; see proc(5), VmHWM. 0 for one that has ended."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


class _Answers:
    """Counts the answers in a journal while it grows; each part is opened once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[Path, int] = {}

    def count(self) -> int:
        """Answers in all parts that are, or were, there."""
        for path in self._folder.glob("*.parquet"):
            if path not in self._parts:
                self._parts[path] = _count_lines(path)
        return sum(self._parts.values())


def _count_lines(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except FileNotFoundError:
        return 0
