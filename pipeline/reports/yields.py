"""What was found where: how many items each part of a document gave, so that a thin page shows.

In: the final answers of one task, a part of a chunk at a time. Out: sums, and the parts that gave least.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from pipeline.prompts.prompt import Chunk
from pipeline.readers.document import Document
from pipeline.tables.lines import page_span

MOST_THIN = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One answered part of a chunk.

    Attributes:
        doc_id: The document.
        chunk_index: The chunk, from 0.
        part: Which part of it; see `Chunk`.
        first_page: Number of the first page it shows; None outside PDFs.
        last_page: Number of the last one (inclusive).
        n_segments: Pages, cues or paragraphs with text that are new in it. One that was split counts in each of its
            parts.
        n_items: Items of the answer's top-level lists.
    """

    doc_id: str
    chunk_index: int
    part: str
    first_page: int | None
    last_page: int | None
    n_segments: int
    n_items: int

    @property
    def thinness(self) -> tuple[float, str, int, str]:
        """Sorts the thinnest first; of equals the first."""
        return self.n_items / max(self.n_segments, 1), self.doc_id, self.chunk_index, self.part


@dataclass(slots=True)
class TaskYield:
    """The yield of one task.

    Attributes:
        n_items: Items of all answers.
        n_parts: Parts of chunks that were answered.
        n_empty: How many of those gave no item.
        n_segments: Pages, cues and paragraphs that were asked about.
        n_pages: How many of those are pages.
        n_page_items: Items found on those.
        thinnest: The parts with the fewest items a segment, at most MOST_THIN, the thinnest first.
    """

    n_items: int = 0
    n_parts: int = 0
    n_empty: int = 0
    n_segments: int = 0
    n_pages: int = 0
    n_page_items: int = 0
    thinnest: list[Part] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Count one part; the order in which they come means nothing."""
        self.n_items += part.n_items
        self.n_parts += 1
        self.n_empty += part.n_items == 0
        self.n_segments += part.n_segments
        if part.first_page is not None:
            self.n_pages += part.n_segments
            self.n_page_items += part.n_items
        self.thinnest = sorted([*self.thinnest, part], key=lambda one: one.thinness)[:MOST_THIN]

    def report(self) -> dict[str, object]:
        """For the run report."""
        return {
            "items": self.n_items,
            "answers": self.n_parts,
            "answers_without_items": self.n_empty,
            "pages": self.n_pages,
            "segments": self.n_segments,
            "items_per_page": round(self.n_page_items / self.n_pages, 3) if self.n_pages else None,
            "items_per_segment": round(self.n_items / self.n_segments, 3) if self.n_segments else None,
            "thinnest": [asdict(part) for part in self.thinnest],
        }


def part_of(chunk: Chunk, document: Document, n_items: int) -> Part:
    """How much a chunk, or a part of one, gave, and of how many segments."""
    segments = document.segments[chunk.first_segment : chunk.last_segment + 1]
    new = (max(segment.start, chunk.new_start) < min(segment.end, chunk.end) for segment in segments)
    first, last = page_span(document, chunk)
    return Part(chunk.doc_id, chunk.index, chunk.part, first, last, n_segments=sum(new), n_items=n_items)
