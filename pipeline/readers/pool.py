"""Reading in child processes: sources in, documents or rejects out, each source exactly once.

A document is parsed where it can do no harm: a hang costs the time limit, a leak the memory limit, a crash one child,
and each of them one document. The pages of a large document are read by several children (`parts`); it is lost, or
comes out, once. What is read and how is the business of the `read` function.

The parent holds at most one document being read and one finished per child, so a million sources need the memory of a
few. Half of the children at most read parts while other sources are waiting, so that a large document holds nobody
up; all of them where nothing else is to do, so that it is not alone on one core at the end.
"""

from __future__ import annotations

import multiprocessing.connection
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from pipeline.errors import Reject
from pipeline.readers.assembly import Assembly
from pipeline.readers.document import Document
from pipeline.readers.limits import ReadLimits
from pipeline.readers.parts import Head, Part, PartRead, Read, Reading
from pipeline.readers.process import Given, ReadingProcess
from pipeline.sources import Source

__all__ = ["Read", "ReadLimits", "ReadingPool", "iter_documents"]
_WAIT_S = 0.5
TASKS_PER_CHILD = 2000
"""A child is replaced after so many documents and parts, and before when its memory grows: what a library leaks stays
small. A start costs 0.33 s of processor time."""


class ReadingPool:
    """Children that read. Whoever drives it gives sources while there is room, and takes what is finished.

    Use it as a context manager: leaving it ends the children, whatever they do.
    """

    def __init__(self, limits: ReadLimits, read: Read) -> None:
        """Start nothing yet; a child is started when there is a source for it.

        Args:
            limits: Time, memory, number of children.
            read: Gives the Document or says why there is none; or a Head, and then the pages of its parts.
        """
        self._limits, self._read = limits, read
        self._n_workers = limits.n_workers or len(os.sched_getaffinity(0))
        self._children: list[ReadingProcess] = []
        self._assemblies: list[Assembly] = []
        self._finished: deque[tuple[Source, Document | Reject]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._children:
            child.kill()

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing: no source with a child, none in parts, no result to take."""
        return not self._finished and not self._assemblies and all(child.given is None for child in self._children)

    def has_room(self) -> bool:
        """Whether a child is free. Also no, so that texts cannot pile up, with a result or large document a child."""
        n_held = max(len(self._finished), len(self._assemblies))
        return n_held < self._n_workers and len(self._busy()) < self._n_workers

    def give(self, source: Source) -> None:
        """Have one source read; there must be room."""
        self._start(Given(source))

    def take(self, *, wait: bool = True) -> tuple[Source, Document | Reject] | None:
        """One result; None when none came within half a second, or none is there and it was not to wait.

        The result is a Reject READ_TIMEOUT, READ_MEMORY or READER_CRASHED where the limits or a crash ended it.

        Raises:
            PipelineError: A child ends before it can read anything: the machine or the installation is at fault.
        """
        self._start_parts(self._n_workers)
        by_connection: dict[object, ReadingProcess] = {child.connection: child for child in self._busy()}
        timeout_s = _WAIT_S if wait and not self._finished else 0
        for connection in multiprocessing.connection.wait(list(by_connection), timeout_s):  # type: ignore[arg-type]
            self._collect(by_connection[connection])
        self._start_parts((self._n_workers + 1) // 2)
        return self._finished.popleft() if self._finished else None

    def _busy(self) -> list[ReadingProcess]:
        self._children = [child for child in self._children if not child.ended]
        return [child for child in self._children if child.given is not None]

    def _start(self, given: Given) -> None:
        """Give a free child this; of several, the one that has the file of this document open."""
        free = [child for child in self._children if child.given is None and not child.ended]
        child = next((child for child in free if _has_open(child, given)), free[0] if free else None)
        if child is None or not child.give(given):
            child = ReadingProcess(self._limits, self._read, TASKS_PER_CHILD)
            self._children.append(child)
            child.give(given)

    def _start_parts(self, n_most: int) -> None:
        """Give free children parts, of the oldest document first, until so many have one."""
        busy = self._busy()
        n_free = self._n_workers - len(busy)
        n_parts = sum(child.given is not None and child.given.assembly is not None for child in busy)
        for assembly in self._assemblies:
            while assembly.has_waiting and n_free > 0 and n_parts < n_most:
                self._start(Given(assembly.next_part(), assembly))
                n_free, n_parts = n_free - 1, n_parts + 1

    def _collect(self, child: ReadingProcess) -> None:
        """Take what a child has to say."""
        taken = None if child.ended else child.take()  # it was ended when it read a part of what is lost by now
        if taken is None:
            return
        given, result, seconds = taken
        if isinstance(result, Head):
            self._assemblies.append(Assembly(given.source, result, seconds, self._limits))
            return
        if given.assembly is None:
            assert not isinstance(result, PartRead)
            self._finished.append((given.source, result))
        else:
            self._add_part(given.assembly, given, result, seconds)

    def _add_part(self, assembly: Assembly, given: Given, result: Reading, seconds: float) -> None:
        assert isinstance(given.task, Part)
        assert isinstance(result, PartRead | Reject)
        done = assembly.add(given.task, result, seconds)
        for other in self._busy():
            task = other.given.task if other.given is not None and other.given.assembly is assembly else None
            if isinstance(task, Part) and not assembly.wants(task):
                other.kill()
        if done is not None:
            self._assemblies.remove(assembly)
            self._finished.append((given.source, done))


def _has_open(child: ReadingProcess, given: Given) -> bool:
    """Whether what the child did last was of the same source."""
    return child.last is given.source


def iter_documents(
    sources: Iterable[Source], limits: ReadLimits, read: Read, stopped: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Source, Document | Reject]]:
    """Read sources in child processes.

    Args:
        sources: Taken one by one, only when a child is free: at most two a child are in the parent's hands.
        limits: Time, memory, number of children.
        read: Gives the Document or says why there is none; see `ReadingPool`.
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
