"""The books of a run: what came in, what came out, and the sums that must close.

Every item is counted once where it enters and once where it ends. `Ledger.sums` puts the two sides next to each other;
the run is only committed when all of them are equal. It knows counts, not items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.engines.engine import Generation
from pipeline.errors import Reject, Stage
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


@dataclass(slots=True)
class Ledger:
    """Counts of one run.

    Attributes:
        n_tasks: Questions asked of each chunk.
        n_sources: Entries taken from the job's input.
        n_documents: Sources that were read.
        n_pages: Pages of all documents, whatever became of them.
        n_segments: Pages, cues, turns and paragraphs of all documents.
        n_chars: Characters of all documents.
        n_chars_covered: Characters that stand in a chunk, overlap counted once.
        n_chunks: Chunks of all documents.
        n_prompts: Prompts given to the engine.
        n_generations: Generations that came back.
        n_records: Valid answers.
        n_rows: Merged rows, by task.
        segments: Segments by status.
        rejects: Lost items by code.
        n_document_tokens: Tokens of all documents.
        n_prompt_tokens: Tokens of the prompts whose generation came back.
        n_cached_tokens: How many of those the engine had computed before.
        n_output_tokens: Tokens generated.
        n_counted_tokens: Tokens of those same prompts by our own count, before they were sent.
        n_pending_tokens: Tokens of the chunks whose answers are still to come, once for each answer.
    """

    n_tasks: int
    n_sources: int = 0
    n_documents: int = 0
    n_pages: int = 0
    n_segments: int = 0
    n_chars: int = 0
    n_chars_covered: int = 0
    n_chunks: int = 0
    n_prompts: int = 0
    n_generations: int = 0
    n_records: int = 0
    n_rows: Counter[str] = field(default_factory=Counter)
    segments: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    rejects_by_stage: Counter[str] = field(default_factory=Counter)
    n_document_tokens: int = 0
    n_prompt_tokens: int = 0
    n_cached_tokens: int = 0
    n_output_tokens: int = 0
    n_counted_tokens: int = 0
    n_pending_tokens: int = 0

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

    def add_generation(self, generation: Generation, prompt: Prompt, chunk: Chunk) -> None:
        """A generation came back, whatever it is worth."""
        self.n_generations += 1
        self.n_pending_tokens -= len(chunk.token_ids)
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
    def n_source_rejects(self) -> int:
        """Sources that gave no document."""
        return self.rejects_by_stage[Stage.SOURCE] + self.rejects_by_stage[Stage.READ]

    @property
    def n_answer_rejects(self) -> int:
        """Prompts that gave no record."""
        return self.rejects_by_stage[Stage.GENERATE] + self.rejects_by_stage[Stage.VALIDATE]

    def sums(self, n_lines: Mapping[str, int]) -> list[Sum]:
        """The equations of the run.

        Args:
            n_lines: Lines that each table's file really holds, by table name.
        """
        n_row_rejects = self.rejects_by_stage[Stage.MERGE]
        n_rows = self.n_rows.total()
        return [
            Sum("sources = documents + rejected sources", self.n_sources, self.n_documents + self.n_source_rejects),
            Sum("segments = segments in a recorded state", self.n_segments, self.segments.total()),
            Sum("characters = characters in a chunk", self.n_chars, self.n_chars_covered),
            Sum("chunks x tasks = prompts", self.n_chunks * self.n_tasks, self.n_prompts),
            Sum("prompts = generations", self.n_prompts, self.n_generations),
            Sum("generations = records + rejected answers", self.n_generations, self.n_records + self.n_answer_rejects),
            Sum("prompt tokens sent = prompt tokens the engine counted", self.n_counted_tokens, self.n_prompt_tokens),
            Sum("documents x tasks = rows + rejected rows", self.n_documents * self.n_tasks, n_rows + n_row_rejects),
            Sum("documents = lines of documents/", self.n_documents, n_lines["documents"]),
            Sum("generations = lines of responses/", self.n_generations, n_lines["responses"]),
            Sum("rejected items = lines of rejects/", self.rejects.total(), n_lines["rejects"]),
            Sum(
                "rows = lines of records/", n_rows, sum(n for name, n in n_lines.items() if name.startswith("records/"))
            ),
        ]
