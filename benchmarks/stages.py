"""Runs the pipeline's command in this process and tells where its processor time goes, by stage.

    python benchmarks/stages.py FACTS.json run JOB.toml --json

A thread looks every few milliseconds at what Python's other threads do, and at how much processor time each has used
since: so a thread that waits weighs nothing. Threads that are not Python's (a tokenizer's, Arrow's) and child processes
are told apart by what Linux counts for them.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import threading
import time
from collections import defaultdict
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import psutil

from pipeline.cli import main as run_command

_EVERY_S = 0.003
_CHILDREN_EVERY = 60
_SWITCH_S = 0.0001
"""How long a thread may keep the looking one waiting; with Python's 5 ms it would mostly see where threads wait."""
START, REST = "start and imports", "flow and books"
TOKENIZING, CUTTING, PROMPTS, KEYS = "tokenizing", "cutting into chunks", "prompts", "keys"
READING, ENGINE, THREADS = "reading processes", "rehearsal engine's process", "threads of libraries (tokenizer, Arrow)"
STAGES = (
    ("sources", "hashing sources"),
    ("readers/", "to and from the readers"),
    ("prompts/hf_tokenizer", TOKENIZING),
    ("prompts/mistral_tokenizer", TOKENIZING),
    ("prompts/pieces", CUTTING),
    ("prompts/marks", CUTTING),
    ("prompts/chunking", CUTTING),
    ("prompts/", PROMPTS),
    ("engines/settings", KEYS),
    ("tables/row_index", KEYS),
    ("flow/recall", KEYS),
    ("engines/", "to and from the engine"),
    ("answers/merge", "merging"),
    ("answers/choice", "merging"),
    ("answers/sameness", "merging"),
    ("answers/", "validation"),
    ("tables/journal", "journal"),
    ("flow/journals", "journal"),
    ("tables/", "tables"),
    ("schema/arrow", "tables"),
    ("schema/values", "tables"),
    ("schema/", "validation"),
    ("models/", START),
    ("job/", START),
)
"""Which stage a module belongs to, by the beginning of its path in the package; the first that fits. Others: REST."""
_SERVANTS = ("schema/json_text", "schema/pointer", "schema/columns", "tables/parquet", "errors")
"""Modules that work for whoever calls them."""
_PACKAGE = str(Path(run_command.__code__.co_filename).parents[1]) + "/"


def stage_of(frame: FrameType | None) -> str:
    """The stage that a thread is in, by its innermost frame of ours; the start, as long as anything is being loaded."""
    found = ""
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path.startswith("<frozen importlib") or (name == "build_plan" and path.startswith(_PACKAGE)):
            return START
        if not found and path.startswith(_PACKAGE):
            module = path.removeprefix(_PACKAGE)
            if not module.startswith(_SERVANTS):
                found = next((stage for prefix, stage in STAGES if module.startswith(prefix)), REST)
        frame = frame.f_back
    return found or REST


class Sampler:
    """Looks at this process from a thread of its own, while it is entered.

    Attributes:
        seconds: Processor time by stage, of Python's threads; then of the others and of child processes.
        by_thread: Processor time of Python's threads, by name.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.by_thread: defaultdict[str, float] = defaultdict(float)
        self._last: dict[int, float] = {}
        self._engines: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)
        self._start_s = self._thread_s = 0.0

    def __enter__(self) -> Self:
        self._start_s = time.process_time()
        for thread in threading.enumerate():
            self._spent(thread)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        engines = sum(self._engines.values())
        own = sum(self.by_thread.values()) + self._thread_s
        self.seconds[THREADS] = max(0.0, time.process_time() - self._start_s - own)
        self.seconds[ENGINE] = engines
        self.seconds[READING] = max(0.0, children.ru_utime + children.ru_stime - engines)

    def _watch(self) -> None:
        begun_s, n_looks = time.thread_time(), 0
        while not self._ended.wait(_EVERY_S):
            self._look()
            if n_looks % _CHILDREN_EVERY == 0:
                self._look_at_engines()
            n_looks += 1
        self._thread_s = time.thread_time() - begun_s

    def _look(self) -> None:
        frames = sys._current_frames()
        for thread in threading.enumerate():
            if thread is not self._thread and (spent_s := self._spent(thread)):
                self.seconds[stage_of(frames.get(thread.ident or 0))] += spent_s
                self.by_thread[thread.name] += spent_s

    def _spent(self, thread: threading.Thread) -> float:
        """Processor seconds since the last look; see "schedstat" in Linux' Documentation/scheduler/sched-stats."""
        number = thread.native_id or 0
        with suppress(OSError):  # it has just ended
            spent_s = int(Path(f"/proc/self/task/{number}/schedstat").read_bytes().split()[0]) / 1e9
            before, self._last[number] = self._last.get(number, 0.0), spent_s
            return spent_s - before
        return 0.0

    def _look_at_engines(self) -> None:
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if any("pipeline.engines" in word for word in child.cmdline()):
                    times = child.cpu_times()
                    self._engines[child.pid] = times.user + times.system


def main() -> int:
    """Run the command that the arguments name and write what was seen; gives its exit code."""
    path, *words = sys.argv[1:]
    sys.argv = ["pipeline", *words]
    sys.setswitchinterval(_SWITCH_S)
    said, code, start_s = io.StringIO(), 0, time.monotonic()
    with Sampler() as sampler, redirect_stdout(said):
        try:
            run_command()
        except SystemExit as end:
            code = int(end.code or 0)
    facts = {
        "seconds": time.monotonic() - start_s,
        "stages": sampler.seconds,
        "threads": sampler.by_thread,
        "report": json.loads(said.getvalue() or "{}"),
    }
    Path(path).write_text(json.dumps(facts), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
