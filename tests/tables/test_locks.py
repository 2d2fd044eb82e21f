"""Who may work beside whom: the matrix of lanes, real processes that hold, race and are killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import JobError, OutputError, TryAgainError
from pipeline.tables.locks import WHOLE, HeldLane, Lane, Locks, parse_lane

NOW = datetime(2026, 11, 22, 5, 49, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "lane"),
    [("1/1", WHOLE), ("2/8", Lane(2, 8)), ("8/8", Lane(8, 8)), ("10000/10000", Lane(10_000, 10_000))],
)
def test_a_lane_is_written_as_a_fraction(text: str, lane: Lane) -> None:
    assert parse_lane(text) == lane


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0/4",
        "5/4",
        "a/b",
        "1",
        "1/",
        "/1",
        "-1/4",
        "1/0",
        "1/10001",
        " 1/2",
        "1/2\n",
        "1.0/2",
        "1/2/3",
        "²/4",
        "1/٤",
        "1/" + "9" * 5000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(JobError, match="such as 2/8"):
        parse_lane(text)


def test_lanes_have_names() -> None:
    assert [lane.name for lane in (WHOLE, Lane(2, 8))] == ["whole", "shard-2-of-8"]


@given(st.text(st.characters(exclude_categories=[])), st.integers(1, 10_000))
def test_every_document_is_in_exactly_one_shard(doc_id: str, count: int) -> None:
    first = next(index for index in range(1, count + 1) if Lane(index, count).takes(doc_id))
    others = {1, count, first % count + 1, (first - 2) % count + 1} - {first}
    assert not any(Lane(index, count).takes(doc_id) for index in others)


def test_the_shard_of_a_document_never_changes() -> None:
    taken = [next(i for i in range(1, 9) if Lane(i, 8).takes(doc_id)) for doc_id in ("a", "b", "contracts/ä.pdf", "")]
    assert taken == [4, 6, 8, 6]
    assert all(WHOLE.takes(doc_id) for doc_id in ("a", ""))


def test_shards_are_of_about_one_size() -> None:
    sizes = [sum(Lane(index, 4).takes(f"doc-{n}") for n in range(4000)) for index in range(1, 5)]
    assert sum(sizes) == 4000
    assert all(900 < size < 1100 for size in sizes)


@contextmanager
def holding(output: Path, lane: Lane) -> Iterator[HeldLane]:
    locks = Locks(output)
    with locks.gate():
        held = locks.take(lane)
        held.sign("20261122T054916Z-688772", NOW)
    try:
        yield held
    finally:
        held.release()


LANES = [WHOLE, Lane(1, 2), Lane(2, 2), Lane(1, 3), Lane(2, 3)]


@pytest.mark.parametrize("held", LANES, ids=lambda lane: lane.name)
@pytest.mark.parametrize("asked", LANES, ids=lambda lane: lane.name)
def test_who_may_work_beside_whom(tmp_path: Path, held: Lane, asked: Lane) -> None:
    with holding(tmp_path, held):
        if held.count == asked.count and held.index != asked.index:
            with holding(tmp_path, asked):
                pass
        else:
            start_s = time.monotonic()
            with pytest.raises(TryAgainError, match=rf"Run 20261122T054916Z-688772 .* \({held.name}\)"):
                holding(tmp_path, asked).__enter__()
            assert time.monotonic() - start_s < 2
    with holding(tmp_path, asked):
        pass


def test_a_refusal_says_who_holds_it_since_when_and_leaves_no_lock_behind(tmp_path: Path) -> None:
    with holding(tmp_path, Lane(3, 8)):
        with pytest.raises(TryAgainError) as caught:
            holding(tmp_path, WHOLE).__enter__()
        said = str(caught.value)
        for fact in (f"process {os.getpid()}", os.uname().nodename, "2026-11-22T05:49:16+00:00", str(tmp_path)):
            assert fact in said
        with holding(tmp_path, Lane(4, 8)):
            pass


@pytest.mark.parametrize("signature", [None, b"", b"[]", b'{"pid": 1}', b"\xff", b"[" * 100_000])
def test_a_held_lane_without_a_readable_name_is_still_held(tmp_path: Path, signature: bytes | None) -> None:
    with holding(tmp_path, WHOLE):
        path = tmp_path / ".locks" / "whole.json"
        path.unlink() if signature is None else path.write_bytes(signature)
        with pytest.raises(TryAgainError, match="Another run, which left no name, holds"):
            holding(tmp_path, Lane(1, 2)).__enter__()


def test_only_names_of_lanes_are_ever_free(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    with locks.gate(), holding_inside(locks, Lane(1, 2)):
        free = [name for name in ("whole", "shard-1-of-2", "shard-2-of-2", "gate", "../x", "") if locks.is_free(name)]
    assert free == ["whole", "shard-2-of-2"]


@contextmanager
def holding_inside(locks: Locks, lane: Lane) -> Iterator[None]:
    held = locks.take(lane)
    yield
    held.release()


def started(action: Callable[[int], object]) -> tuple[int, int]:
    """Fork a process that does it with the end of a pipe to speak into; returns its id and the other end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            action(writing)
        finally:
            os._exit(0)
    os.close(writing)
    return child, reading


def hold_until_killed(output: Path) -> Callable[[int], object]:
    def hold(said: int) -> None:
        with holding(output, WHOLE):
            os.write(said, b"held")
            time.sleep(60)

    return hold


def test_a_killed_holder_holds_nothing_and_its_name_does_not_matter(tmp_path: Path) -> None:
    child, said = started(hold_until_killed(tmp_path))
    assert os.read(said, 4) == b"held"
    with pytest.raises(TryAgainError, match=f"process {child} "):
        holding(tmp_path, WHOLE).__enter__()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(said)
    assert (tmp_path / ".locks" / "whole.json").exists()
    with holding(tmp_path, Lane(1, 2)), holding(tmp_path, Lane(2, 2)):
        pass


def test_a_child_that_outlives_the_killed_holder_does_not_keep_the_lane(tmp_path: Path) -> None:
    def hold_with_a_child(said: int) -> None:
        with holding(tmp_path, WHOLE):
            if (grandchild := os.fork()) == 0:
                time.sleep(60)
                os._exit(0)
            os.write(said, str(grandchild).encode())
            time.sleep(60)

    child, said = started(hold_with_a_child)
    grandchild = int(os.read(said, 20))
    os.close(said)
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with holding(tmp_path, WHOLE):
            os.kill(grandchild, 0)
    finally:
        os.kill(grandchild, signal.SIGKILL)


def test_of_many_that_start_at_once_one_is_let_in(tmp_path: Path) -> None:
    def start(said: int) -> None:
        try:
            with holding(tmp_path, WHOLE):
                os.write(said, b"held")
                time.sleep(60)
        except TryAgainError:
            os.write(said, b"away")

    children = [started(start) for _ in range(8)]
    answers = [os.read(said, 4) for _child, said in children]
    for child, said in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(said)
    assert sorted(answers) == [b"away"] * 7 + [b"held"]


def test_shards_of_one_split_all_start_at_once(tmp_path: Path) -> None:
    def start(index: int) -> Callable[[int], object]:
        def hold(said: int) -> None:
            with holding(tmp_path, Lane(index, 8)):
                os.write(said, b"held")
                time.sleep(60)

        return hold

    children = [started(start(index)) for index in range(1, 9)]
    answers = [os.read(said, 4) for _child, said in children]
    for child, said in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(said)
    assert answers == [b"held"] * 8


def test_a_start_waits_for_another_to_pass_the_gate(tmp_path: Path) -> None:
    def pass_slowly(said: int) -> None:
        with Locks(tmp_path).gate():
            os.write(said, b"in")
            time.sleep(0.5)
            os.write(said, b"out")

    child, said = started(pass_slowly)
    assert os.read(said, 2) == b"in"
    with Locks(tmp_path).gate():
        assert os.read(said, 3) == b"out"
    os.waitpid(child, 0)
    os.close(said)


def test_files_of_lanes_that_nobody_holds_do_not_pile_up(tmp_path: Path) -> None:
    folder = tmp_path / ".locks"
    folder.mkdir()
    for index in range(1, 101):
        for ending in ("lock", "json"):
            (folder / f"shard-{index}-of-100.{ending}").touch()
    with holding(tmp_path, Lane(1, 2)), holding(tmp_path, Lane(2, 2)):
        names = sorted(path.name for path in folder.iterdir())
    assert names == ["gate.lock", *(f"shard-{i}-of-2.{ending}" for i in (1, 2) for ending in ("json", "lock"))]


def test_a_gate_that_stays_shut_is_no_reason_to_wait_forever(tmp_path: Path) -> None:
    with (
        Locks(tmp_path).gate(),
        pytest.raises(TryAgainError, match="has been starting"),
        Locks(tmp_path).gate(wait_s=0.1),
    ):
        pass


def test_a_lock_file_that_cannot_be_locked_is_an_output_error(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    (tmp_path / ".locks" / "whole.lock").mkdir()
    with pytest.raises(OutputError, match=r"Cannot lock .*whole\.lock, which belongs to the user"), locks.gate():
        locks.take(WHOLE)


def test_a_file_where_the_locks_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / ".locks").write_text("in the way")
    with pytest.raises(OutputError, match=r"\.locks"):
        Locks(tmp_path)
