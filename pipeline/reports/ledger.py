"""The books of a run: what came in, what came out, and the sums that must close.

Every item is counted once where it enters and once where it ends. `Ledger.sums` puts the two sides next to each other;
the run is only committed when all of them are equal. It knows counts, not items; which sources were accounted for is a
byte each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.engines.engine import Generation
from pipeline.errors import ConservationError, Reject, Stage
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, SegmentKind


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
        n_unasked: Prompts of theirs that were never asked.
        n_unanswered: Prompts of theirs that were asked and have no final answer.
        n_attempts: Attempts of theirs that came back; they are in the journal.
        n_rejects: Rejected answers of theirs.
        n_given_up: Attempts that the engine still had.
    """

    was_stopped: bool = False
    n_documents: int = 0
    n_unasked: int = 0
    n_unanswered: int = 0
    n_attempts: int = 0
    n_rejects: int = 0
    n_given_up: int = 0


@dataclass(slots=True)
class Ledger:
    """Counts of one run.

    Attributes:
        n_tasks: Questions asked of each chunk.
        n_sources: Sources that the job lists and that are this run's to look at.
        n_unchanged: Sources that stand in the tables as they are.
        n_unchanged_rejected: How many of those are rejected sources.
        n_unchanged_prompts: Questions that were asked about them.
        n_unchanged_rejected_answers: How many of those gave no record.
        n_removed: Sources settled before that the job no longer lists.
        n_documents: Sources that gave a document.
        n_known_documents: How many of those were not read again.
        n_settled: Documents whose answers are all in: these are committed.
        n_pages: Pages of all documents, whatever became of them.
        n_segments: Pages, cues, turns and paragraphs of all documents.
        n_chars: Characters of all documents.
        n_chars_covered: Characters that stand in a chunk, overlap counted once.
        n_chunks: Chunks of all documents.
        n_prompts: Questions asked, each counted once however often it was tried.
        n_asked: Attempts given to the engine.
        n_answered: Attempts that the engine gave back.
        n_reused: Attempts taken from the journal or an earlier run.
        n_tried_again: Attempts that gave no record and were followed by another.
        n_records: Valid answers.
        n_rows: Merged rows, by task.
        segments: Segments by status.
        rejects: Lost items by code.
        n_document_tokens: Tokens of all documents.
        n_prompt_tokens: Tokens of the prompts that the engine gave back.
        n_cached_tokens: How many of those the engine had computed before.
        n_output_tokens: Tokens generated.
        n_counted_tokens: Tokens of those same prompts by our own count, before they were sent.
        n_pending_tokens: Tokens of the chunks whose answers are still to come, once for each answer.
        why: Sources taken up, by why.
    """

    n_tasks: int
    n_sources: int
    n_unchanged: int = 0
    n_unchanged_rejected: int = 0
    n_unchanged_prompts: int = 0
    n_unchanged_rejected_answers: int = 0
    n_removed: int = 0
    n_documents: int = 0
    n_known_documents: int = 0
    n_settled: int = 0
    n_pages: int = 0
    n_segments: int = 0
    n_chars: int = 0
    n_chars_covered: int = 0
    n_chunks: int = 0
    n_prompts: int = 0
    n_asked: int = 0
    n_answered: int = 0
    n_reused: int = 0
    n_tried_again: int = 0
    n_records: int = 0
    n_rows: Counter[str] = field(default_factory=Counter)
    segments: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    rejects_by_stage: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    n_document_tokens: int = 0
    n_prompt_tokens: int = 0
    n_cached_tokens: int = 0
    n_output_tokens: int = 0
    n_counted_tokens: int = 0
    n_pending_tokens: int = 0
    _accounted: bytearray = field(init=False)

    def __post_init__(self) -> None:
        """No source is accounted for yet."""
        self._accounted = bytearray(self.n_sources)

    def account(self, ordinals: Iterable[int]) -> None:
        """These sources came out of the intake.

        Raises:
            ConservationError: One of them came out before.
        """
        for ordinal in ordinals:
            if self._accounted[ordinal]:
                raise ConservationError(f"Source number {ordinal + 1} of the job came out of the readers twice.")
            self._accounted[ordinal] = 1

    def add_unchanged(
        self, ordinals: Collection[int], n_rejected: int, n_prompts: int, n_rejected_answers: int
    ) -> None:
        """These sources stand in the tables as they are."""
        self.account(ordinals)
        self.n_unchanged += len(ordinals)
        self.n_unchanged_rejected += n_rejected
        self.n_unchanged_prompts += n_prompts
        self.n_unchanged_rejected_answers += n_rejected_answers

    def add_document(self, document: Document, chunks: list[Chunk], n_tokens: int) -> None:
        """A source was read and cut."""
        self.n_documents += 1
        self.n_segments += len(document.segments)
        self.n_pages += sum(segment.kind is SegmentKind.PAGE for segment in document.segments)
        self.segments.update(segment.status.value for segment in document.segments)
        self.n_chars += len(document.text)
        self.n_chars_covered += sum(chunk.end - chunk.new_start for chunk in chunks)
        self.n_chunks += len(chunks)
        self.n_document_tokens += n_tokens
        self.n_pending_tokens += sum(len(chunk.token_ids) for chunk in chunks) * self.n_tasks

    def add_answered(self, generation: Generation, prompt: Prompt) -> None:
        """The engine gave back an attempt, whatever it is worth."""
        self.n_answered += 1
        if generation.n_prompt_tokens:
            self.n_counted_tokens += len(prompt.token_ids)
        self.n_prompt_tokens += generation.n_prompt_tokens
        self.n_cached_tokens += generation.n_cached_tokens
        self.n_output_tokens += generation.n_output_tokens

    def add_reject(self, reject: Reject) -> None:
        """An item was lost and written down."""
        self.rejects[reject.code.value] += 1
        self.rejects_by_stage[reject.code.stage.value] += 1

    @property
    def n_left(self) -> int:
        """Sources that no item came for."""
        return self._accounted.count(0)

    @property
    def n_source_rejects(self) -> int:
        """Sources that gave no document."""
        return self.rejects_by_stage[Stage.SOURCE] + self.rejects_by_stage[Stage.READ]

    @property
    def n_answer_rejects(self) -> int:
        """Questions that gave no record."""
        return self.rejects_by_stage[Stage.GENERATE] + self.rejects_by_stage[Stage.VALIDATE]

    @property
    def n_attempts(self) -> int:
        """Attempts that came back, from the engine or from before."""
        return self.n_answered + self.n_reused

    def sums(self, n_lines: Mapping[str, int], n_journalled: int, open_work: OpenWork) -> list[Sum]:
        """The equations of the run.

        Args:
            n_lines: Lines that each table's file really holds, by table name; none for a table that was not made.
            n_journalled: Answers that the journal holds of this run.
            open_work: What is left open; nothing unless the run was stopped.
        """
        n_row_rejects = self.rejects_by_stage[Stage.MERGE]
        n_rows = self.n_rows.total()
        n_taken = self.n_documents + self.n_source_rejects
        left, final = open_work, self.n_records + self.n_answer_rejects
        n_record_lines = sum(n for name, n in n_lines.items() if name.startswith("records/"))
        lines = {name: n_lines.get(name, 0) for name in ("sources", "documents", "responses", "rejects")}
        pairs = [
            (
                "sources = unchanged + documents + rejected + left for the next start",
                self.n_sources,
                self.n_unchanged + n_taken + self.n_left,
            ),
            (
                "left without being stopped = 0",
                0 if left.was_stopped else self.n_left + left.n_documents + left.n_given_up,
                0,
            ),
            ("documents = settled + open when stopped", self.n_documents, self.n_settled + left.n_documents),
            ("segments = segments in a recorded state", self.n_segments, self.segments.total()),
            ("characters = characters in a chunk", self.n_chars, self.n_chars_covered),
            ("chunks x tasks = prompts + never asked", self.n_chunks * self.n_tasks, self.n_prompts + left.n_unasked),
            ("prompts = records + rejected + open", self.n_prompts, final + left.n_unanswered),
            ("attempts = final answers + tried again", self.n_attempts, final + self.n_tried_again),
            ("asked of the engine = answered + given up", self.n_asked, self.n_answered + left.n_given_up),
            ("answers of the engine = answers in the journal", self.n_answered, n_journalled),
            ("prompt tokens sent = prompt tokens the engine counted", self.n_counted_tokens, self.n_prompt_tokens),
            (
                "documents x tasks = rows + rejected rows",
                self.n_settled * self.n_tasks,
                n_rows + n_row_rejects,
            ),
            (
                "settled + rejected + removed = lines of sources/",
                self.n_settled + self.n_source_rejects + self.n_removed,
                lines["sources"],
            ),
            ("settled documents = lines of documents/", self.n_settled, lines["documents"]),
            ("attempts = lines of responses/ + open", self.n_attempts, lines["responses"] + left.n_attempts),
            ("rejects = lines of rejects/ + open", self.rejects.total(), lines["rejects"] + left.n_rejects),
            ("rows = lines of records/", n_rows, n_record_lines),
        ]
        return [Sum(name, *sides) for name, *sides in pairs]
