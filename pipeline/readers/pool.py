"""Reading in child processes: sources in, documents or rejects out, each source exactly once.

A document is parsed where it can do no harm: a hang costs the time limit, a leak the memory limit, a crash one child,
and each of them one document. The parent holds at most one document being read and one finished per child, so a
million sources need the memory of a few. What is read and how is the business of the `read` function.

Why not a pool from a library: `multiprocessing` runs the caller's main module again in each child, which loads all
that it imports and fails where it has no main guard; pools built on it share one locked queue, so a child killed in
the wrong moment stops or breaks all of them. Here each child is a fresh interpreter with its own connection.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import IO, Self

from pipeline.errors import PipelineError, Reject, RejectCode
from pipeline.readers.document import Document
from pipeline.sources import Source

Read = Callable[[Source], Document | Reject]
"""A function at the top of a module: children import it by name."""

MIN_MEMORY_MB = 128
"""A child with both PDF libraries loaded has 29 MiB of private data before it reads anything."""
_WAIT_S = 0.5
DOCUMENTS_PER_CHILD = 2000
"""A child is replaced after so many documents, and before when its memory grows: what a library leaks stays small. A
start costs 0.33 s of processor time."""
_START = """
import json, sys
task = json.loads(sys.argv[1])
sys.path[:] = task["sys_path"]
from pipeline.readers.child import serve
serve(task)
"""
"""What a child runs: nothing of the parent's main module, and found wherever the parent found this package."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What reading one document may cost.

    Attributes:
        timeout_s: Wall-clock seconds for one document, above 0.
        memory_mb: Private memory of one child in MiB, at least MIN_MEMORY_MB. Enforced on Linux.
        n_workers: Children that read at the same time; None: one a core this process may run on.
    """

    timeout_s: float = 300.0
    memory_mb: int = 2048
    n_workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits no document can be read within."""
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}, expected more than 0 seconds")
        if self.memory_mb < MIN_MEMORY_MB:
            raise ValueError(f"memory_mb is {self.memory_mb}, expected at least {MIN_MEMORY_MB} MiB")
        if self.n_workers is not None and self.n_workers < 1:
            raise ValueError(f"n_workers is {self.n_workers}, expected at least 1")


class ReadingPool:
    """Children that read. Whoever drives it gives sources while there is room, and takes what is finished.

    Use it as a context manager: leaving it ends the children, whatever they do.
    """

    def __init__(self, limits: ReadLimits, read: Read) -> None:
        """Start nothing yet; a child is started when there is a source for it.

        Args:
            limits: Time, memory, number of children.
            read: Gives the Document or says why there is none.
        """
        self._limits, self._read = limits, read
        self._n_workers = limits.n_workers or len(os.sched_getaffinity(0))
        self._children: list[_Child] = []
        self._finished: deque[tuple[Source, Document | Reject]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._children:
            child.kill()

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing: no source with a child, no result to take."""
        return not self._finished and all(child.source is None for child in self._children)

    def has_room(self) -> bool:
        """Whether a child is free. Also no, so that results cannot pile up, while as many wait to be taken."""
        self._children = [child for child in self._children if not child.ended]
        n_busy = sum(child.source is not None for child in self._children)
        return n_busy < self._n_workers and len(self._finished) < self._n_workers

    def give(self, source: Source) -> None:
        """Have one source read; there must be room."""
        child = next((child for child in self._children if child.source is None), None)
        if child is None:
            child = _Child(self._limits, self._read)
            self._children.append(child)
        child.give(source)

    def take(self) -> tuple[Source, Document | Reject] | None:
        """One result; None when none came within half a second.

        The result is a Reject READ_TIMEOUT, READ_MEMORY or READER_CRASHED where the limits or a crash ended it.

        Raises:
            PipelineError: A child ends before it can read anything: the machine or the installation is at fault.
        """
        busy = [child for child in self._children if child.source is not None]
        self._finished.extend(_collect(busy, self._limits, block=not self._finished))
        return self._finished.popleft() if self._finished else None


def iter_documents(
    sources: Iterable[Source], limits: ReadLimits, read: Read, stopped: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Source, Document | Reject]]:
    """Read sources in child processes.

    Args:
        sources: Taken one by one, only when a child is free: at most two a child are in the parent's hands.
        limits: Time, memory, number of children.
        read: Gives the Document or says why there is none.
        stopped: Asked twice a second at least; once it says yes, the children are ended and nothing more comes. For
            an iteration that runs in a thread, which cannot be closed from outside while it waits.

    Yields:
        (source, result) as they finish, in any order, each source exactly once; see `ReadingPool.take`.
    """
    waiting = iter(sources)
    with ReadingPool(limits, read) as pool:
        _fill(pool, waiting)
        while not pool.is_idle and not stopped():
            taken = pool.take()
            _fill(pool, waiting)  # before the result is looked at: no child waits for that
            if taken is not None:
                yield taken


def _fill(pool: ReadingPool, waiting: Iterator[Source]) -> None:
    while pool.has_room() and (source := next(waiting, None)) is not None:
        pool.give(source)


def _collect(busy: list[_Child], limits: ReadLimits, *, block: bool) -> Iterator[tuple[Source, Document | Reject]]:
    """What is ready now; waits a moment for the first if `block`."""
    by_connection: dict[object, _Child] = {child.connection: child for child in busy}
    for connection in wait(list(by_connection), timeout=_WAIT_S if block else 0):  # type: ignore[arg-type]
        child = by_connection[connection]
        source = child.source
        result = child.take(limits)
        if source is not None and result is not None:
            yield source, result


@dataclass(slots=True, eq=False)
class _Child:
    """One reading process, as the parent sees it: at most one source is with it."""

    limits: ReadLimits
    read: Read
    connection: Connection = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)
    stderr: IO[bytes] = field(init=False)
    source: Source | None = None
    ready: bool = False
    ended: bool = False

    def __post_init__(self) -> None:
        """Start it; it says that it is ready before its first result."""
        self.connection, theirs = Pipe()
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the child)
        task = {
            "fd": theirs.fileno(),
            "parent_pid": os.getpid(),
            "timeout_s": self.limits.timeout_s,
            "memory_mb": self.limits.memory_mb,
            "n_documents": DOCUMENTS_PER_CHILD,
            "sys_path": sys.path,
            "read": [self.read.__module__, self.read.__qualname__],
        }
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", _START, json.dumps(task)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.stderr,
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl-C in a terminal reaches the parent alone
        )
        theirs.close()

    def give(self, source: Source) -> None:
        """Send the next source."""
        self.source = source
        with contextlib.suppress(OSError):  # it died while idle; `take` finds out why
            self.connection.send(source)

    def take(self, limits: ReadLimits) -> Document | Reject | None:
        """The result of its source; None when it only said that it is ready."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            return self._buried(limits)
        if message == "ready":
            self.ready = True
            return None
        result, retires = message
        self.source = None
        if retires:
            self._reap()
        assert isinstance(result, Document | Reject), f"{self.read} gave {result!r}"
        return result

    def kill(self) -> None:
        """End it now, whatever it does."""
        if not self.ended:
            self.process.kill()
            self._reap()

    def _reap(self) -> None:
        self.ended = True
        self.connection.close()
        self.process.wait()
        self.stderr.close()

    def _buried(self, limits: ReadLimits) -> Reject:
        """Why it is dead, as the reject of the source it had."""
        code = self.process.wait()
        self.stderr.seek(0)
        last_words = self.stderr.read(4096).decode("utf-8", "replace").strip()
        source = self.source
        self._reap()
        if source is None or not self.ready:
            raise PipelineError(
                f"A reading process ended before it could read (exit {code}): {last_words or 'no word'}."
            )
        if code == -signal.SIGALRM:
            return _reject(source, RejectCode.READ_TIMEOUT, f"Reading took more than {limits.timeout_s:g} s.")
        return _reject(
            source, RejectCode.READER_CRASHED, f"The reading process ended with {_name(code)}{_first(last_words)}."
        )


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


def _reject(source: Source, code: RejectCode, detail: str) -> Reject:
    return Reject(code=code, detail=detail, uri=source.uri, doc_id=source.doc_id)
