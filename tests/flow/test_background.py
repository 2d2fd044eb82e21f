"""An iterator in a thread: its items in order, its errors raised where it is polled, and an end when nobody listens."""

import threading
from collections.abc import Callable, Generator

import pytest

from pipeline.flow.background import Background

Stopped = Callable[[], bool]


def drain(background: Background[int]) -> list[int]:
    items = []
    while not background.exhausted:
        item = background.poll(timeout_s=5)
        if item is not None:
            items.append(item)
    return items


def test_items_come_in_order_and_then_it_is_exhausted() -> None:
    with Background(lambda stopped: (n for n in range(100)), ahead=3) as background:
        assert drain(background) == list(range(100))
        assert background.poll() is None


def test_it_runs_no_further_ahead_than_asked() -> None:
    taken = []

    def items(stopped: Stopped) -> Generator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    with Background(items, ahead=3) as background:
        assert background.poll(timeout_s=5) == 0
        assert background.poll(timeout_s=5) == 1
        assert len(taken) <= 2 + 3 + 1
    assert len(taken) < 100


def test_an_error_is_raised_where_it_is_polled() -> None:
    def items(stopped: Stopped) -> Generator[int]:
        yield 1
        raise LookupError("the third shelf")

    with Background(items, ahead=3) as background:
        assert background.poll(timeout_s=5) == 1
        with pytest.raises(LookupError, match="the third shelf"):
            background.poll(timeout_s=5)
        assert background.exhausted


def test_leaving_ends_an_iterator_that_waits_and_closes_it() -> None:
    closed = threading.Event()

    def items(stopped: Stopped) -> Generator[int]:
        try:
            while not stopped():
                threading.Event().wait(0.01)
            yield 1
        finally:
            closed.set()

    with Background(items, ahead=1):
        pass
    assert closed.is_set()


def test_nothing_there_yet_is_none() -> None:
    gate = threading.Event()

    def items(stopped: Stopped) -> Generator[int]:
        gate.wait(5)
        yield 7

    with Background(items, ahead=1) as background:
        assert background.poll() is None
        assert not background.exhausted
        gate.set()
        assert drain(background) == [7]
