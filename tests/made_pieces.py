"""Pieces of a document that nobody wrote: token counts in, pieces out."""

from array import array

from pipeline.prompts.pieces import Piece


def build(sizes: list[int], lead: int = 0, n_split: int = 0) -> list[Piece]:
    """Pieces of these token counts, ten characters each; the last n_split are parts of one split segment."""
    n_whole = len(sizes) - n_split
    return [
        Piece(
            segment_index=min(index, n_whole),
            start=10 * index,
            end=10 * index + 10,
            token_ids=array("i", [index]) * size,
            lead_ids=array("i", [-1]) * (lead if index > n_whole else 0),
            is_whole=index < n_whole,
        )
        for index, size in enumerate(sizes)
    ]
