"""One start of `pipeline run` that is watched, and what stands on the disk before and after it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import pyarrow.parquet as pq
from runner import PHASES

from pipeline.tables.current import list_runs

RUNNER = Path(__file__).with_name("runner.py")
POINTS = (*PHASES, "the rest")
LIMIT_S = 240.0
_LOOK_S = 0.005
_GONE_S = 15.0
_MARK = "PIPELINE_TEST_CHAOS"


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder with a job, and where its starts write down what they do.

    Attributes:
        folder: The folder; its job is job.toml, its output folder out.
        log: A file beside it.
    """

    folder: Path
    log: Path

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.folder / "out"

    @property
    def said(self) -> Path:
        """What its starts print."""
        return self.folder.with_suffix(".said")

    def last_words(self) -> str:
        """The end of what they printed."""
        return self.said.read_text(errors="replace")[-300:]


@dataclass(frozen=True, slots=True)
class Kept:
    """What need not be done again: keys of answers, doc_keys of documents."""

    answers: frozenset[str]
    documents: frozenset[str]


def load_kept(out: Path) -> Kept:
    """What the journal and the committed tables hold. Only while nobody writes there."""
    return Kept(_kept(out, "answers", "responses", "key"), _kept(out, "documents", "documents", "doc_key"))


def _kept(out: Path, journal: str, table: str, name: str) -> frozenset[str]:
    parts = [path for path in (out / "journal" / journal).glob("*.parquet") if not path.name.startswith(".")]
    committed = [key for run in list_runs(out) for key in column(out, run, table, name)]
    return frozenset(committed + [key for path in parts for key in pq.ParquetFile(path).read([name])[name].to_pylist()])


def column(out: Path, run: str, table: str, name: str) -> list[str]:
    """The values of a column that one run committed."""
    parts = (out / table / f"run={run}").glob("*.parquet")
    return [key for path in parts for key in pq.ParquetFile(path).read([name])[name].to_pylist()]


def load_contents(out: Path) -> dict[str, str]:
    """Every file of a folder with the hash of what is in it."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Start:
    """A start of a project's job. Use it as a context manager: leaving it ends what still runs.

    Attributes:
        process: The driver.
        descendants: Processes seen below it.
        is_struck: Something was done to it that it may survive.
        ended_s: When it was seen to have ended, monotonic seconds; 0 before that.
    """

    def __init__(self, project: Project, phase: str | None = None, step: int = 0, steps: Path | None = None) -> None:
        """Start it.

        Args:
            project: Whose job.
            phase: A key of POINTS; the driver is to die there. None: it is not told to.
            step: Before which step of that phase, from 0.
            steps: A file to write the steps of the driver to; not together with `phase`.
        """
        project.log.touch()
        self._project = project
        self._log_start = project.log.stat().st_size
        orders = {"log": str(project.log), "out": str(project.out), "phase": phase, "step": step}
        orders["steps"] = None if steps is None else str(steps)
        project.said.touch()
        self._said_start = project.said.stat().st_size
        with project.said.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(RUNNER), json.dumps(orders), "run", str(project.folder / "job.toml")],
                env={**os.environ, _MARK: str(project.folder)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self.descendants: dict[int, psutil.Process] = {}
        self.is_struck = False
        self.ended_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def entries(self, kind: str) -> list[list[Any]]:
        """What this start wrote into the log, of one kind ("ask", "answer", "read", "died"): time and words."""
        with self._project.log.open("rb") as log:
            log.seek(self._log_start)
            lines = [json.loads(line) for line in log.read().splitlines()]
        return [words for name, *words in lines if name == kind]

    def count(self, kind: str) -> int:
        """How many of them."""
        with self._project.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().count(f'["{kind}", '.encode())

    def printed(self) -> str:
        """What it printed."""
        return self._project.said.read_bytes()[self._said_start :].decode(errors="replace")

    def until(self, reached: Callable[[], bool]) -> bool:
        """Wait; False when the driver ended first."""
        end_s = time.monotonic() + LIMIT_S
        while not reached():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > end_s:
                self.kill()
                raise TimeoutError(f"nothing happened for {LIMIT_S:.0f} s, see {self._project.said}")
            time.sleep(_LOOK_S)
        return self.process.poll() is None

    def wait(self) -> int:
        """Its exit code; minus the number of the signal that ended it."""
        try:
            code = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.ended_s = self.ended_s or time.monotonic()
        return code

    def look(self) -> list[psutil.Process]:
        """The processes below the driver now."""
        found: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.process.pid).children(recursive=True)
        self.descendants.update({process.pid: process for process in found})
        return found

    def engines(self) -> list[psutil.Process]:
        """The processes that answer: the synthetic engine's child, or vLLM's core."""
        return [process for process in self.look() if _is_engine(process)]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """A signal for the driver alone."""
        self.look()
        if self.process.poll() is None:
            self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.wait()


def run_beside(project: Project) -> subprocess.CompletedProcess[str]:
    """Another start of the same job, as anybody would start it."""
    command = [sys.executable, "-m", "pipeline", "run", str(project.folder / "job.toml")]
    return subprocess.run(
        command,
        env={**os.environ, _MARK: str(project.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def find_survivors(project: Project, seen: dict[int, psutil.Process]) -> list[str]:
    """Processes of a project's starts that are there although its drivers ended, after they had time to go.

    Args:
        project: The project.
        seen: Processes that were seen below its drivers; the environment tells the others.
    """
    mark = f"{_MARK}={project.folder}"
    end_s = time.monotonic() + _GONE_S
    while True:
        marked = {process.pid: process for process in psutil.process_iter() if _has(process, mark)}
        alive = [process for process in {**seen, **marked}.values() if _is_alive(process)]
        if not alive or time.monotonic() > end_s:
            return [f"{process.pid} {_command(process)}" for process in alive]
        time.sleep(0.1)


def _is_engine(process: psutil.Process) -> bool:
    return any(name in _command(process) for name in ("synthetic_child", "VLLM::EngineCore"))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _has(process: psutil.Process, mark: str) -> bool:
    """Whether it was started with this mark. Its environment is read as it is: vLLM's processes write over theirs."""
    try:
        return mark.encode() in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
