"""What waits for the engine: first come first, a chunk's tasks together, the longest of the last first."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.flow.backlog import MOST_DOCUMENTS, MOST_TOKENS, Backlog
from pipeline.flow.flight import Flight
from pipeline.flow.intake import ReadyDocument, Taken
from pipeline.flow.open_document import Asked, OpenDocument
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document
from pipeline.sources import Entry, Source

TASKS = ("first", "second", "third")
QUESTION_TOKENS = 7


def open_document(ordinal: int, *sizes: int) -> OpenDocument:
    """A document with chunks of so many tokens."""
    doc_id = f"{ordinal:04d}"
    entry = Entry(doc_id, doc_id, doc_id)
    chunks = [Chunk(doc_id, n, len(sizes), n, n + 1, n, n, n, [1] * size) for n, size in enumerate(sizes)]
    source = Source(doc_id, Path(doc_id), doc_id, "0" * 64, 1)
    document = Document(doc_id, source.doc_key, doc_id, "text", "", ())  # its text matters to nobody here
    taken = Taken(ordinal, 0, entry, "new")
    return OpenDocument(ReadyDocument(taken, source, document, chunks, was_known=False), TASKS)


def make_prompts(chunk: Chunk) -> Iterator[Prompt]:
    for task in TASKS:
        ids = [*chunk.token_ids, *[2] * QUESTION_TOKENS]
        yield Prompt(f"{chunk.doc_id}:{chunk.index}:{task}", chunk.doc_id, chunk.index, task, ids, 10, "{}")


def make_backlog(*documents: OpenDocument) -> Backlog:
    backlog = Backlog(make_prompts, len(TASKS))
    for document in documents:
        backlog.add(document)
    return backlog


def take_all(backlog: Backlog) -> list[Asked]:
    return list(iter(backlog.take, None))


sizes = st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=4), max_size=8)


@given(sizes=sizes, n_before=st.integers(0, 20), n_last=st.integers(0, 40))
def test_every_question_comes_once_with_the_tasks_of_a_chunk_together(
    sizes: list[list[int]], n_before: int, n_last: int
) -> None:
    documents = [open_document(n, *of_one) for n, of_one in enumerate(sizes)]
    backlog = make_backlog(*documents)
    taken = [asked for _ in range(n_before) if (asked := backlog.take())]
    while not backlog.is_empty:
        backlog.end_well(n_last)
        taken.append(backlog.take())  # type: ignore[arg-type]  # it is not empty
    assert backlog.take() is None
    assert backlog.n_tokens == 0
    found = [(asked.chunk.doc_id, asked.chunk.index) for asked in taken]
    blocks = [(chunk, len(list(asks))) for chunk, asks in groupby(found)]
    assert sorted(blocks) == [((f"{n:04d}", i), 3) for n, of_one in enumerate(sizes) for i in range(len(of_one))]
    assert all(asked.document.ready.taken.ordinal == int(asked.chunk.doc_id) for asked in taken)


def test_documents_are_asked_about_as_they_came() -> None:
    backlog = make_backlog(open_document(0, 5, 90), open_document(1, 70), open_document(2, 80))
    order = [(asked.chunk.doc_id, asked.chunk.index, asked.prompt.task) for asked in take_all(backlog)]
    assert order[:4] == [("0000", 0, "first"), ("0000", 0, "second"), ("0000", 0, "third"), ("0000", 1, "first")]
    assert [doc_id for doc_id, _, _ in order] == ["0000"] * 6 + ["0001"] * 3 + ["0002"] * 3


def test_only_the_last_prompts_go_by_size() -> None:
    lengths = [10, 30, 20, 50, 40, 60]
    backlog = make_backlog(*(open_document(n, length) for n, length in enumerate(lengths)))
    taken = []
    while not backlog.is_empty:
        backlog.end_well(n_prompts=9)  # three chunks of three tasks
        taken.append(backlog.take())
    assert [len(asked.chunk.token_ids) for asked in taken[::3] if asked] == [10, 30, 20, 60, 50, 40]


def test_it_is_full_by_tokens_or_by_documents() -> None:
    backlog = make_backlog(open_document(0, MOST_TOKENS - 1))
    assert not backlog.is_full(window=1)
    backlog.add(open_document(1, 1))
    assert backlog.is_full(window=1)
    many = make_backlog(*(open_document(n, 1) for n in range(MOST_DOCUMENTS)))
    assert many.is_full(window=1)
    assert not many.is_full(window=MOST_DOCUMENTS)  # the engine can run them all
    many.take()
    assert not many.is_full(window=1)


@settings(max_examples=30)
@given(sizes=sizes, order=st.randoms(use_true_random=False))
def test_tokens_in_flight_count_a_shared_chunk_once(sizes: list[list[int]], order: Random) -> None:
    flight = Flight()
    waiting = take_all(make_backlog(*(open_document(n, *of_one) for n, of_one in enumerate(sizes))))
    there: dict[str, Asked] = {}
    while waiting or there:
        if waiting and order.random() < 0.6:
            asked = waiting.pop(0)
            flight.add(asked, "key")
            there[asked.prompt.prompt_id] = asked
        elif there:
            name = order.choice(sorted(there))
            assert flight.pop(name) == (there.pop(name), "key")
        chunks = {(a.chunk.doc_id, a.chunk.index): len(a.chunk.token_ids) for a in there.values()}
        assert flight.n_tokens == sum(chunks.values()) + QUESTION_TOKENS * len(there)
        assert len(flight) == len(there)
    assert flight.pop("what was never there") is None
