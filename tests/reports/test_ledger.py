"""The books: they close when every item is counted on both sides, and say which sum does not."""

import copy
import dataclasses
from array import array

import pytest

from pipeline.answers.agreement import Agreement
from pipeline.answers.citations import Citation
from pipeline.answers.evidence import Evidence
from pipeline.answers.quotes import Grade, Located
from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import ConservationError, Reject, RejectCode
from pipeline.job.sections import GatesSection
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.reports.ledger import Ledger, Unchanged
from pipeline.reports.run_report import close_books, failed_gates
from pipeline.reports.sums import OpenWork, build_sums

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
LINES = {
    "sources": 2,
    "documents": 1,
    "responses": 4,
    "rejects": 4,
    "records/t": 1,
    "records/s": 0,
    "conflicts": 2,
    "evidence": 1,
}
NOTHING_OPEN = OpenWork()
EVIDENCE = Evidence(Citation("/a", "ab", "ab"), Located(Grade.EXACT, 1.0, 0, 2, 1), "ab", Agreement.AGREES)


HALVES = (
    Chunk("d", 0, 1, 0, 1, 0, 0, 0, [1, 2], part="0"),
    Chunk("d", 0, 1, 1, 2, 1, 0, 1, [3], part="1"),
)


def closed() -> Ledger:
    """Three sources: unchanged, lost, and read into one chunk.

    Two tasks: the question of one is lost and with it the row; that of the other is split, and one half is not all.
    """
    ledger = Ledger(n_tasks=2, n_sources=3)
    ledger.add_unchanged(Unchanged(array("q", [2]), 0, 4, 1))
    ledger.account([0])
    ledger.account([1])
    ledger.add_document(DOCUMENT, [CHUNK], 3)
    ledger.n_prompts = ledger.n_asked = 4
    ledger.add_split(CHUNK, HALVES)
    ledger.n_parts = 2
    for prompt_id in ("d:0:t", "d:0:s", "d:0.0:t", "d:0.1:t"):
        prompt = Prompt(prompt_id, "d", 0, prompt_id[-1], list(range(10)), 5, "{}")
        ledger.add_answered(Generation(prompt_id, "{}", FinishReason.STOP, 10, 4, 2), prompt)
    ledger.n_records, ledger.n_settled, ledger.n_kept, ledger.n_conflicts = 2, 1, 1, 2
    ledger.n_rows["t"] = 1
    ledger.n_cited = 1
    ledger.add_evidence(EVIDENCE, is_in_row=True)
    for code in (RejectCode.CORRUPT, RejectCode.INVALID_JSON, RejectCode.NO_ANSWER, RejectCode.LIST_SHORT):
        ledger.add_reject(Reject(code, "x", "u", "d"))
    return ledger


def test_the_books_close() -> None:
    ledger = closed()
    assert len(close_books(build_sums(ledger, LINES, 4, NOTHING_OPEN))) == 23
    assert (ledger.n_pages, ledger.segments) == (2, {"read": 1, "image_only": 1})
    assert (ledger.n_prompt_tokens, ledger.n_cached_tokens, ledger.n_output_tokens) == (40, 16, 8)
    assert (ledger.n_left, ledger.n_lost_answers, ledger.n_answer_rejects) == (0, 1, 2)


COUNTS = [
    "n_sources",
    "n_unchanged",
    "n_removed",
    "n_documents",
    "n_settled",
    "n_segments",
    "n_chars",
    "n_chunks",
    "n_prompts",
    "n_asked",
    "n_answered",
    "n_reused",
    "n_tried_again",
    "n_records",
    "n_kept",
    "n_parts",
    "n_split",
    "n_further",
    "n_further_records",
    "n_chars_split",
    "n_chars_halves",
    "n_conflicts",
    "n_cited",
    "n_prompt_tokens",
]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("by", [1, -1])
def test_one_lost_or_counted_twice_does_not_close(count: str, by: int) -> None:
    ledger = closed()
    setattr(ledger, count, getattr(ledger, count) + by)
    with pytest.raises(ConservationError, match="do not close"):
        close_books(build_sums(ledger, LINES, 4, NOTHING_OPEN))


def test_an_answer_that_is_not_in_the_journal_does_not_close() -> None:
    with pytest.raises(ConservationError, match="answers in the journal: 4 is not 3"):
        close_books(build_sums(closed(), LINES, 3, NOTHING_OPEN))


def test_a_source_comes_once() -> None:
    ledger = closed()
    with pytest.raises(ConservationError, match="number 2 of the job"):
        ledger.account([1])


def test_only_a_stopped_run_may_leave_something() -> None:
    ledger = closed()
    ledger.n_sources += 1
    ledger._accounted.append(0)
    with pytest.raises(ConservationError, match="left without being stopped"):
        close_books(build_sums(ledger, LINES, 4, NOTHING_OPEN))
    close_books(build_sums(ledger, LINES, 4, OpenWork(was_stopped=True)))


@pytest.mark.parametrize("count", [field.name for field in dataclasses.fields(OpenWork) if field.name != "was_stopped"])
def test_what_is_open_is_counted_too(count: str) -> None:
    """A document of one chunk: one of its two questions was rejected, the other split, and one half never asked."""
    ledger = copy.deepcopy(closed())
    ledger.n_sources += 1
    ledger._accounted.append(1)
    ledger.add_document(DOCUMENT, [CHUNK], 3)
    ledger.n_prompts += 3
    ledger.n_asked += 3
    ledger.add_split(CHUNK, HALVES)
    ledger.n_parts += 1
    for prompt_id in ("e:0:t", "e:0:s"):
        prompt = Prompt(prompt_id, "e", 0, prompt_id[-1], list(range(10)), 5, "{}")
        ledger.add_answered(Generation(prompt_id, "{}", FinishReason.STOP, 10, 4, 2), prompt)
    ledger.add_reject(Reject(RejectCode.INVALID_JSON, "x", "u", "e"))
    left = OpenWork(
        was_stopped=True,
        n_documents=1,
        n_unasked_parts=1,
        n_unanswered=1,
        n_attempts=2,
        n_rejects=1,
        n_given_up=1,
    )
    close_books(build_sums(ledger, LINES, 6, left))
    with pytest.raises(ConservationError, match="do not close"):
        close_books(build_sums(ledger, LINES, 6, dataclasses.replace(left, **{count: getattr(left, count) + 1})))


@pytest.mark.parametrize("table", sorted(LINES))
def test_a_line_missing_in_a_file_does_not_close(table: str) -> None:
    with pytest.raises(ConservationError, match="lines of"):
        close_books(build_sums(closed(), {**LINES, table: LINES[table] - 1}, 4, NOTHING_OPEN))


def test_gates_compare_what_was_lost_with_what_there_is_earlier_runs_included() -> None:
    ledger = closed()
    assert failed_gates(GatesSection(), ledger) == []
    assert failed_gates(GatesSection(max_reject_ratio=0.34, max_answer_reject_ratio=0.43), ledger) == []
    (sentence,) = failed_gates(GatesSection(max_reject_ratio=0.3), ledger)
    assert sentence == "gates.max_reject_ratio is 0.3, and 1 of 3 sources were lost (0.333)."
    (sentence,) = failed_gates(GatesSection(max_answer_reject_ratio=0.1), ledger)
    assert sentence == "gates.max_answer_reject_ratio is 0.1, and 3 of 7 answers were lost (0.429)."
    assert failed_gates(GatesSection(max_reject_ratio=0), Ledger(n_tasks=1, n_sources=0)) == []
