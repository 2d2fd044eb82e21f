"""An iterator that runs ahead in a thread of its own, a bounded number of items, and is polled from another."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_STOP_CHECK_S = 0.2


class Background(Generic[T]):
    """Runs an iterator in a thread. Use it as a context manager: leaving it ends the iterator and joins the thread.

    Attributes:
        exhausted: True once every item was polled.
    """

    def __init__(self, start: Callable[[Callable[[], bool]], Generator[T]], ahead: int) -> None:
        """Run at most `ahead` items ahead of whoever polls.

        Args:
            start: Gives the iterator. It is handed a function that says whether nobody wants its items any more, to
                ask wherever it waits for long.
            ahead: At least 1.
        """
        self.exhausted = False
        self._stopped = threading.Event()
        self._items = start(self._stopped.is_set)
        self._queue: queue.Queue[T | BaseException | None] = queue.Queue(maxsize=ahead)
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()

    def stop(self) -> None:
        """Ask the iterator to end soon; what it has given may still be polled. Returns at once."""
        self._stopped.set()

    def poll(self, timeout_s: float = 0.0) -> T | None:
        """The next item; None when there is none within timeout_s seconds, or none will come (see `exhausted`).

        Raises:
            BaseException: What the iterator raised, as it raised it.
        """
        if self.exhausted:
            return None
        try:
            item = self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None
        if isinstance(item, BaseException):
            self.exhausted = True
            raise item
        self.exhausted = item is None
        return item

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001  handed over whole: raised again in the thread that polls
            self._put(error)
        finally:
            self._items.close()

    def _put(self, item: T | BaseException | None) -> bool:
        """Wait for room; False when the reader has left."""
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_STOP_CHECK_S)
                return True
            except queue.Full:
                continue
        return False
