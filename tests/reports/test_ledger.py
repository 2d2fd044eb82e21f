"""The books: they close when every item is counted on both sides, and say which sum does not."""

import dataclasses

import pytest

from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import ConservationError, Reject, RejectCode
from pipeline.job.sections import GatesSection
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.reports.ledger import Ledger
from pipeline.reports.run_report import close_books, failed_gates

DOCUMENT = Document(
    doc_id="d",
    doc_key="k",
    uri="u",
    format="pdf",
    text="ab",
    segments=(
        Segment(SegmentKind.PAGE, 0, 2, page_number=1),
        Segment(SegmentKind.PAGE, 2, 2, SegmentStatus.IMAGE_ONLY, page_number=2),
    ),
)
CHUNK = Chunk("d", 0, 1, 0, 2, 0, 0, 1, [1, 2, 3])
LINES = {"documents": 1, "responses": 2, "rejects": 3, "records/t": 1, "records/s": 0}


def closed() -> Ledger:
    """Two sources, one of them lost; one chunk, two tasks, one of the two answers lost and with it its row."""
    ledger = Ledger(n_tasks=2, n_sources=2)
    ledger.add_document(DOCUMENT, [CHUNK], 3)
    ledger.n_prompts = 2
    for prompt_id in ("d:0:t", "d:0:s"):
        prompt = Prompt(prompt_id, "d", 0, prompt_id[-1], list(range(10)), 5, "{}")
        ledger.add_generation(Generation(prompt_id, "{}", FinishReason.STOP, 10, 4, 2), prompt, CHUNK)
    ledger.n_records = 1
    ledger.n_rows["t"] = 1
    for code in (RejectCode.CORRUPT, RejectCode.INVALID_JSON, RejectCode.NO_ANSWER):
        ledger.add_reject(Reject(code, "x", "u", "d"))
    return ledger


def test_the_books_close() -> None:
    ledger = closed()
    assert all(item.closes for item in close_books(ledger, LINES))
    assert (ledger.n_pages, ledger.segments) == (2, {"read": 1, "image_only": 1})
    assert (ledger.n_prompt_tokens, ledger.n_cached_tokens, ledger.n_output_tokens) == (20, 8, 4)
    assert ledger.n_pending_tokens == 0


@pytest.mark.parametrize(
    "count",
    [
        "n_sources",
        "n_documents",
        "n_segments",
        "n_chars",
        "n_chunks",
        "n_prompts",
        "n_generations",
        "n_records",
        "n_prompt_tokens",
    ],
)
@pytest.mark.parametrize("by", [1, -1])
def test_one_lost_or_counted_twice_does_not_close(count: str, by: int) -> None:
    ledger = closed()
    changed = dataclasses.replace(ledger, **{count: getattr(ledger, count) + by})
    with pytest.raises(ConservationError, match="do not close"):
        close_books(changed, LINES)


@pytest.mark.parametrize("table", sorted(LINES))
def test_a_line_missing_in_a_file_does_not_close(table: str) -> None:
    with pytest.raises(ConservationError, match="lines of"):
        close_books(closed(), {**LINES, table: LINES[table] - 1})


def test_gates_compare_what_was_lost_with_what_there_was() -> None:
    ledger = closed()
    assert failed_gates(GatesSection(), ledger) == []
    assert failed_gates(GatesSection(max_reject_ratio=0.5, max_answer_reject_ratio=0.5), ledger) == []
    (sentence,) = failed_gates(GatesSection(max_reject_ratio=0.4), ledger)
    assert sentence == "gates.max_reject_ratio is 0.4, and 1 of 2 sources were lost (0.500)."
    assert len(failed_gates(GatesSection(max_answer_reject_ratio=0.1), ledger)) == 1
    assert failed_gates(GatesSection(max_reject_ratio=0), Ledger(n_tasks=1)) == []
