"""From pieces to chunks: where to cut, so that no chunk is over budget and all are about as large.

Pure arithmetic over token counts; knows no tokenizer and no text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate, pairwise

from pipeline.prompts.pieces import Piece
from pipeline.prompts.prompt import Borders, Chunk, join_ids


def build_chunks(doc_id: str, pieces: Sequence[Piece], budget_tokens: int, overlap_segments: int = 0) -> list[Chunk]:
    """Cut a document into the fewest chunks that fit the budget, then make the largest of them as small as possible.

    Examples:
        Five pages of 30 tokens, budget 100: two chunks are needed, of 90 and 60 tokens.
        150 pages of 1000 tokens, budget 128000: 75 pages and 75 pages, not 128 and 22 (attention costs the square).
        The five pages with overlap 1: pages 1-3 and 3-5, of 90 and 90 tokens.

    Args:
        doc_id: The document.
        pieces: Of the whole document, in order, as `build_pieces` gives them for this budget.
        budget_tokens: Most tokens of a chunk, marks and overlap included.
        overlap_segments: How many segments with text, already shown, stand again before a chunk's new ones. Fewer
            where they would take more than half the budget, or the room of the next piece; and never a segment that
            was split.

    Returns:
        Chunks in order; the spans [new_start, end) tile the text. None for a document without characters.
    """
    if not pieces or pieces[-1].end == 0:
        return []
    limit = budget_tokens - max(len(piece.lead_ids) for piece in pieces)
    totals = list(accumulate((len(piece.token_ids) for piece in pieces), initial=0))
    first_shown = _overlaps(pieces, totals, limit, overlap_segments)
    cuts = [*_balance(totals, limit, first_shown), len(pieces)]
    n_chunks = len(cuts) - 1
    return [
        _build_chunk(doc_id, pieces, (first_shown(first), first, end), (index, n_chunks))
        for index, (first, end) in enumerate(pairwise(cuts))
    ]


FirstShown = Callable[[int], int]
"""The first piece shown in a chunk, given its first new one."""


def _overlaps(pieces: Sequence[Piece], totals: list[int], limit: int, n_segments: int) -> FirstShown:
    @cache
    def first_shown(first: int) -> int:
        if not pieces[first].is_whole:
            return first
        room = min(limit // 2, limit - len(pieces[first].token_ids))
        shown, n_left = first, n_segments
        while shown > 0 and n_left and pieces[shown - 1].is_whole and totals[first] - totals[shown - 1] <= room:
            shown -= 1
            n_left -= bool(pieces[shown].token_ids)
        return shown

    return first_shown


def _balance(totals: list[int], limit: int, first_shown: FirstShown) -> list[int]:
    """First new pieces of the chunks: as few chunks as `limit` allows, then the lowest limit that needs no more.

    Without overlap, filling each chunk to the limit gives the fewest chunks, and a lower limit never gives fewer: so
    halving the interval finds the smallest possible largest chunk. With overlap it finds a small one.
    """
    best = _fill(totals, limit, first_shown)
    assert best is not None, "a piece is larger than the limit"
    if len(best) == 1:
        return best
    low, high = -(-totals[-1] // len(best)), limit
    while low < high:
        middle = (low + high) // 2
        cuts = _fill(totals, middle, first_shown, len(best))
        if cuts is None:
            low = middle + 1
        else:
            best, high = cuts, middle
    return best


def _fill(totals: list[int], limit: int, first_shown: FirstShown, n_most: int | None = None) -> list[int] | None:
    """First new pieces when each chunk is filled to `limit`; None if a piece does not fit or over n_most are needed.

    Pieces without tokens join the chunk before them.
    """
    cuts: list[int] = []
    first = 0
    while first < len(totals) - 1:
        end = bisect_right(totals, totals[first_shown(first)] + limit, lo=first) - 1
        if end <= first or len(cuts) == n_most:
            return None
        cuts.append(first)
        first = end
    return cuts


def _build_chunk(
    doc_id: str, pieces: Sequence[Piece], bounds: tuple[int, int, int], position: tuple[int, int]
) -> Chunk:
    """One chunk from the pieces [shown, end), of which [first, end) are new."""
    shown, first, end = bounds
    index, n_chunks = position
    token_ids = join_ids([pieces[shown].lead_ids, *(piece.token_ids for piece in pieces[shown:end])])
    n_repeated_tokens = sum(len(piece.token_ids) for piece in pieces[shown:first])
    return Chunk(
        doc_id=doc_id,
        index=index,
        n_chunks=n_chunks,
        start=pieces[shown].start,
        end=pieces[end - 1].end,
        new_start=pieces[first].start,
        first_segment=pieces[shown].segment_index,
        last_segment=pieces[end - 1].segment_index,
        token_ids=token_ids,
        n_repeated_tokens=n_repeated_tokens,
        borders=_borders(pieces[first:end], len(pieces[shown].lead_ids) + n_repeated_tokens),
    )


def _borders(new: Sequence[Piece], n_before: int) -> Borders:
    """Where the new pieces of a chunk begin, of which n_before ids stand before the first."""
    offsets = accumulate((len(piece.token_ids) for piece in new[:-1]), initial=n_before)
    return Borders(
        tokens=array("q", offsets),
        characters=array("q", (piece.start for piece in new)),
        segments=array("q", (piece.segment_index for piece in new)),
        leads={number: piece.lead_ids for number, piece in enumerate(new) if piece.lead_ids},
    )
