"""One reading process as its parent sees it: started, given a task, asked for the result, buried.

Why not a pool from a library: `multiprocessing` runs the caller's main module again in each child, which loads all
that it imports and fails where it has no main guard; pools built on it share one locked queue, so a child killed in
the wrong moment stops or breaks all of them. Here each child is a fresh interpreter with its own connection.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import IO

from pipeline.errors import PipelineError, Reject, RejectCode
from pipeline.readers.assembly import Assembly
from pipeline.readers.document import Document
from pipeline.readers.limits import ReadLimits, build_reject
from pipeline.readers.parts import Head, Part, PartRead, Read, Reading, Task
from pipeline.sources import Source

_START = """
import json, sys
task = json.loads(sys.argv[1])
sys.path[:] = task["sys_path"]
from pipeline.readers.child import serve
serve(task)
"""
"""What a child runs: nothing of the parent's main module, and found wherever the parent found this package."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a child has to do.

    Attributes:
        task: A source, or a part of one.
        assembly: The document that a part is of; None for a source.
    """

    task: Task
    assembly: Assembly | None = None

    @property
    def source(self) -> Source:
        """The file it is about."""
        return self.task.source if isinstance(self.task, Part) else self.task


@dataclass(slots=True, eq=False)
class ReadingProcess:
    """One child: at most one task is with it."""

    limits: ReadLimits
    read: Read
    n_tasks: int
    connection: Connection = field(init=False)
    given: Given | None = None
    last: Source | None = None
    ready: bool = False
    ended: bool = False
    _process: subprocess.Popen[bytes] = field(init=False)
    _stderr: IO[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start it; it says that it is ready before its first result."""
        self.connection, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the child)
        task = {
            "fd": theirs.fileno(),
            "parent_pid": os.getpid(),
            "memory_mb": self.limits.memory_mb,
            "n_tasks": self.n_tasks,
            "sys_path": sys.path,
            "read": [self.read.__module__, self.read.__qualname__],
        }
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", _START, json.dumps(task)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl-C in a terminal reaches the parent alone
        )
        theirs.close()

    def give(self, given: Given) -> bool:
        """Send the next task; False when it died while it had none, which is not the fault of this one."""
        timeout_s = self.limits.timeout_s if given.assembly is None else given.assembly.seconds_left
        self.given = given
        try:
            self.connection.send((given.task, timeout_s))
        except OSError:
            if self.ready:
                self.kill()
                return False  # else it never was of use; `take` finds out why
        return True

    def take(self) -> tuple[Given, Reading, float] | None:
        """What it did, the result, and the wall-clock seconds that took; None when it only said that it is ready.

        Raises:
            PipelineError: It ended before it could read anything.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            return self._buried()
        if message == "ready":
            self.ready = True
            return None
        result, seconds, retires = message
        done, self.given = self.given, None
        assert done is not None
        self.last = done.source
        if retires:
            self.kill()  # it has said all: nobody waits until it has let go of its memory piece by piece
        assert isinstance(result, Document | Reject | Head | PartRead), f"{self.read} gave {result!r}"
        return done, result, seconds

    def kill(self) -> None:
        """End it now, whatever it does."""
        if not self.ended:
            self._process.kill()
            self._reap()

    def _reap(self) -> None:
        self.ended, self.given = True, None
        self.connection.close()
        self._process.wait()
        self._stderr.close()

    def _buried(self) -> tuple[Given, Reject, float]:
        """Why it is dead, as the reject of the source it had."""
        code = self._process.wait()
        self._stderr.seek(0)
        last_words = self._stderr.read(4096).decode("utf-8", "replace").strip()
        given = self.given
        self._reap()
        if given is None or not self.ready:
            raise PipelineError(
                f"A reading process ended before it could read (exit {code}): {last_words or 'no word'}."
            )
        if code == -signal.SIGALRM:
            return given, self.limits.timed_out(given.source), 0.0
        detail = f"The reading process ended with {_name(code)}{_first(last_words)}."
        return given, build_reject(given.source, RejectCode.READER_CRASHED, detail), 0.0


def _name(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _first(last_words: str) -> str:
    """The first line a dying process wrote, for a detail."""
    line = last_words.partition("\n")[0][:200].rstrip(". ")
    return f" ({line})" if line else ""
