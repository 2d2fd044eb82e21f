"""Where cited words stand in a segment's text: overlapping spans in, pieces of text side by side out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BLOCK_CHARS = 8_000
"""Text is shown in blocks of about this many characters, so that a browser lays out only those in sight."""
MOST_CITATIONS = 50
"""Citations that one piece names at most: thousands of quotes of the same words would make a page of numbers."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words of the document that a citation found.

    Attributes:
        start: First character in the document's text (inclusive).
        end: End (exclusive), greater than `start`.
        citation: Number of the citation on its page.
        look: How it is marked: see `citations.Look`.
    """

    start: int
    end: int
    citation: int
    look: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that the same citations found, or none.

    Attributes:
        text: The text.
        citations: Their numbers, ascending; empty: nobody cites it.
        look: The most urgent of their looks; empty without any.
        begins: Whether it is the first piece of one of them: where a reader is led to.
    """

    text: str
    citations: tuple[int, ...] = ()
    look: str = ""
    begins: bool = False


def cut_blocks(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The half-open spans of the blocks that `text[start:end]` is shown in; none when it is empty.

    A block ends after a line, else after a word, else anywhere.
    """
    blocks = []
    while end - start > BLOCK_CHARS:
        middle = start + BLOCK_CHARS // 2
        cut = max(text.rfind("\n", middle, start + BLOCK_CHARS), 0) or text.rfind(" ", middle, start + BLOCK_CHARS)
        cut = cut + 1 if cut > 0 else start + BLOCK_CHARS
        blocks.append((start, cut))
        start = cut
    return [*blocks, (start, end)] if start < end else blocks


def cut_pieces(text: str, blocks: Iterable[tuple[int, int]], spans: Sequence[Span]) -> Iterator[list[Piece]]:
    """The pieces of each block, which together are its text.

    Args:
        text: The document's text.
        blocks: Half-open spans of it, ascending, none overlapping another.
        spans: In any order; they may overlap, and go beyond a block.
    """
    waiting = sorted(spans, key=lambda span: (span.start, span.end, span.citation), reverse=True)
    here: list[Span] = []
    for at, end in blocks:
        pieces, start = [], at
        while start < end:
            n_known = len(here)
            while waiting and waiting[-1].start <= start:
                here.append(waiting.pop())
            begins = any(span.end > start for span in here[n_known:])
            here = [span for span in here if span.end > start]
            cut = min([end, *(span.end for span in here), *(span.start for span in waiting[-1:])])
            pieces.append(_piece(text[start:cut], here, begins=begins))
            start = cut
        yield pieces


_URGENCY = ("lost", "plain", "unsure", "wrong")


def _piece(text: str, spans: Sequence[Span], *, begins: bool) -> Piece:
    if not spans:
        return Piece(text)
    citations = tuple(sorted({span.citation for span in spans})[:MOST_CITATIONS])
    look = max((span.look for span in spans), key=_URGENCY.index)
    return Piece(text, citations, look, begins)
