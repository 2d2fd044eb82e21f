"""The sums of a run, which must close: a ledger and what the files really hold in, equations out.

A run is only committed when both sides of each are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import RejectCode, Stage
from pipeline.reports.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Sum:
    """One equation: `left` must equal `right`."""

    name: str
    left: int
    right: int

    @property
    def closes(self) -> bool:
        """True when nothing is missing and nothing is there twice."""
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What a run that was stopped leaves open, counted over the open documents themselves.

    Attributes:
        was_stopped: Whether it was stopped at all; if not, nothing may be open.
        n_documents: Documents taken in and not committed.
        n_unasked: Prompts of theirs about whole chunks that were never asked.
        n_unasked_parts: Prompts of theirs about halves that were never asked.
        n_unanswered: Prompts of theirs that were asked and have no final answer.
        n_attempts: Attempts of theirs that came back; they are in the journal.
        n_rejects: Rejected answers of theirs.
        n_given_up: Attempts that the engine still had.
        n_cited: Values of their records that a quote was asked for.
    """

    was_stopped: bool = False
    n_documents: int = 0
    n_unasked: int = 0
    n_unasked_parts: int = 0
    n_unanswered: int = 0
    n_attempts: int = 0
    n_rejects: int = 0
    n_given_up: int = 0
    n_cited: int = 0


def build_sums(ledger: Ledger, n_lines: Mapping[str, int], n_journalled: int, open_work: OpenWork) -> list[Sum]:
    """The equations of a run.

    Args:
        ledger: Its counts.
        n_lines: Lines that each table's file really holds, by table name; none for a table that was not made.
        n_journalled: Answers that the journal holds of this run.
        open_work: What is left open; nothing unless the run was stopped.
    """
    parts = (
        _of_sources(ledger, open_work),
        _of_questions(ledger, open_work),
        _of_attempts(ledger, n_journalled, open_work),
        _of_tables(ledger, n_lines, open_work),
    )
    return [Sum(name, left, right) for sums in parts for name, left, right in sums]


_Sums = Iterator[tuple[str, int, int]]


def _of_sources(ledger: Ledger, left: OpenWork) -> _Sums:
    n_ended = ledger.n_unchanged + ledger.n_documents + ledger.n_source_rejects
    n_left = 0 if left.was_stopped else ledger.n_left + left.n_documents + left.n_given_up
    yield (
        "sources = unchanged + documents + rejected + left for the next start",
        ledger.n_sources,
        n_ended + ledger.n_left,
    )
    yield "left without being stopped = 0", n_left, 0
    yield "documents = settled + open when stopped", ledger.n_documents, ledger.n_settled + left.n_documents
    yield "segments = segments in a recorded state", ledger.n_segments, ledger.segments.total()
    yield "characters = characters in a chunk", ledger.n_chars, ledger.n_chars_covered


def _of_questions(ledger: Ledger, left: OpenWork) -> _Sums:
    n_first = ledger.n_prompts - ledger.n_parts - ledger.n_further
    n_kept = sum(n for code, n in ledger.rejects.items() if RejectCode(code).keeps_values)
    yield "chunks x tasks = prompts + never asked", ledger.n_chunks * ledger.n_tasks, n_first + left.n_unasked
    yield "prompts = records + rejected + split + open", ledger.n_prompts, ledger.n_final + left.n_unanswered
    yield "2 x split = halves + never asked", 2 * ledger.n_split, ledger.n_parts + left.n_unasked_parts
    yield "characters of what was split = characters of the halves", ledger.n_chars_split, ledger.n_chars_halves
    yield "records that are not all = their rejects", ledger.n_kept, n_kept


def _of_attempts(ledger: Ledger, n_journalled: int, left: OpenWork) -> _Sums:
    yield "attempts = final answers + tried again", ledger.n_attempts, ledger.n_final + ledger.n_tried_again
    yield "asked of the engine = answered + given up", ledger.n_asked, ledger.n_answered + left.n_given_up
    yield "answers of the engine = answers in the journal", ledger.n_answered, n_journalled
    yield "prompt tokens sent = prompt tokens the engine counted", ledger.n_counted_tokens, ledger.n_prompt_tokens


def _of_tables(ledger: Ledger, n_lines: Mapping[str, int], left: OpenWork) -> _Sums:
    n_rows, n_row_rejects = ledger.n_rows.total(), ledger.rejects_by_stage[Stage.MERGE]
    n_ended = ledger.n_settled + ledger.n_source_rejects + ledger.n_removed
    n_records = sum(n for name, n in n_lines.items() if name.startswith("records/"))
    names = ("sources", "documents", "responses", "rejects", "conflicts", "evidence")
    lines = {name: n_lines.get(name, 0) for name in names}
    yield "documents x tasks = rows + rejected rows", ledger.n_settled * ledger.n_tasks, n_rows + n_row_rejects
    yield "settled + rejected + removed = lines of sources/", n_ended, lines["sources"]
    yield "settled documents = lines of documents/", ledger.n_settled, lines["documents"]
    yield "attempts = lines of responses/ + open", ledger.n_attempts, lines["responses"] + left.n_attempts
    yield "rejects = lines of rejects/ + open", ledger.rejects.total(), lines["rejects"] + left.n_rejects
    yield "rows = lines of records/", n_rows, n_records
    yield "lost values = lines of conflicts/", ledger.n_conflicts, lines["conflicts"]
    yield "cited values = lines of evidence/ + open", ledger.n_cited, lines["evidence"] + left.n_cited
    yield "cited values = quotes found + missing + open", ledger.n_cited, ledger.grades.total() + left.n_cited
