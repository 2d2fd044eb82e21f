"""Runs the pipeline's command in this process and tells where its processor time goes, by stage.

    python benchmarks/stages.py FACTS.json run JOB.toml --json

A stopwatch stands around what each stage is entered by, and counts the processor time of the thread that is in it: so
what waits weighs nothing, and a stage within another counts for itself alone. Threads that are not Python's (a
tokenizer's, Arrow's) and child processes are told apart by what Linux counts for them.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import resource
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

_CHILDREN_EVERY_S = 0.2
START, REST = "start", "flow, books, lines"
TOKENIZING, CUTTING, PROMPTS, KEYS = "tokenizing", "cutting into chunks", "prompts", "keys"
READING, ENGINE, THREADS = "reading processes", "rehearsal engine's process", "threads of libraries (tokenizer, Arrow)"
STAGES = {
    "pipeline.flow.local:run_job": REST,
    "pipeline.flow.intake:load_source": "hashing sources",
    "pipeline.readers.pool:ReadingPool.give": "to and from the readers",
    "pipeline.readers.pool:ReadingPool.take": "to and from the readers",
    "pipeline.prompts.hf_tokenizer:HFTokenizer.encode_batch": TOKENIZING,
    "pipeline.prompts.mistral_tokenizer:MistralTokenizer.encode_batch": TOKENIZING,
    "pipeline.prompts.render:PromptMaker.cut": CUTTING,
    "pipeline.prompts.render:PromptMaker._shown": PROMPTS,
    "pipeline.prompts.render:PromptMaker._build": PROMPTS,
    "pipeline.flow.recall:Recall.key": KEYS,
    "pipeline.flow.recall:Recall.answer": KEYS,
    "pipeline.flow.recall:Recall.document": KEYS,
    "pipeline.engines.synthetic:SyntheticEngine.submit": "to and from the engine",
    "pipeline.engines.synthetic:SyntheticEngine.collect": "to and from the engine",
    "pipeline.flow.settlement:validate": "validation",
    "pipeline.flow.settlement:merge_records": "merging",
    "pipeline.flow.journals:Journals.add_document": "journal",
    "pipeline.flow.journals:Journals.add_answer": "journal",
    "pipeline.flow.journals:Journals.flush": "journal",
    "pipeline.tables.staged:StagedTable.append": "tables",
    "pipeline.tables.staged:StagedTable.close": "tables",
    "pipeline.tables.output:RunOutput.commit": "tables",
}
"""What is timed, and which stage it is. A function stands where its caller looks for it."""


class _Clock(threading.local):
    """One thread's processor time by stage."""

    def __init__(self, threads: dict[str, dict[str, float]]) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        self._stage, self._since_s = (START, time.thread_time()) if is_main else (REST, 0.0)
        self._seconds = threads.setdefault(threading.current_thread().name, defaultdict(float))

    def turn(self, stage: str) -> str:
        """From now on the thread is in this stage; gives the one that it was in."""
        now_s, before = time.thread_time(), self._stage
        self._seconds[before] += now_s - self._since_s
        self._stage, self._since_s = stage, now_s
        return before


class Stopwatch:
    """Times the stages while it is entered, once.

    Attributes:
        seconds: Processor time by stage, when it was left: of Python's threads, of the others, of child processes.
        threads: The first of these by thread.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.threads: dict[str, dict[str, float]] = {}
        self._clock = _Clock(self.threads)
        self._start_s = 0.0
        self._engines: dict[int, float] = {}
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look, name="looking", daemon=True)

    def __enter__(self) -> Self:
        for place, stage in STAGES.items():
            owner, name = find(place)
            setattr(owner, name, self._timed(getattr(owner, name), stage))
        self._start_s = time.process_time()
        self._looking.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._clock.turn(REST)
        self._ended.set()
        self._looking.join()
        for spent in self.threads.values():
            for stage, spent_s in spent.items():
                self.seconds[stage] += spent_s
        self.seconds[THREADS] = max(0.0, time.process_time() - self._start_s - sum(self.seconds.values()))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds[ENGINE] = sum(self._engines.values())
        self.seconds[READING] = max(0.0, children.ru_utime + children.ru_stime - self.seconds[ENGINE])

    def _timed(self, inner: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @functools.wraps(inner)
        def timed(*args: object, **named: object) -> Any:  # noqa: ANN401 - whatever it gives
            before = self._clock.turn(stage)
            try:
                return inner(*args, **named)
            finally:
                self._clock.turn(before)

        return timed

    def _look(self) -> None:
        """Remember how much processor time each engine's process had."""
        while not self._ended.wait(_CHILDREN_EVERY_S):
            for child in psutil.Process().children():
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    if any("pipeline.engines" in word for word in child.cmdline()):
                        times = child.cpu_times()
                        self._engines[child.pid] = times.user + times.system


def find(place: str) -> tuple[Any, str]:
    """The module or class of a timed function, and its name there."""
    module, _, path = place.partition(":")
    *names, name = path.split(".")
    return functools.reduce(getattr, names, importlib.import_module(module)), name


def main() -> int:
    """Run the command that the arguments name and write what was seen; gives its exit code."""
    path, *words = sys.argv[1:]
    sys.argv = ["pipeline", *words]
    from pipeline.cli import main as run_command

    said, code, start_s = io.StringIO(), 0, time.monotonic()
    with Stopwatch() as watch, redirect_stdout(said):
        try:
            run_command()
        except SystemExit as end:
            code = int(end.code or 0)
    facts = {
        "seconds": time.monotonic() - start_s,
        "stages": watch.seconds,
        "threads": watch.threads,
        "report": json.loads(said.getvalue() or "{}"),
    }
    Path(path).write_text(json.dumps(facts), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
