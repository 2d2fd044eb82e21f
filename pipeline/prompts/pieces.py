"""Pieces: what a document is cut into before chunks are made of it, each with the ids of its marked text.

In: a Document and a Tokenizer. Out: Pieces that tile the text. A piece is a whole segment, or a part of one that is
larger than the budget: then a paragraph, a line, a sentence or, last, as many characters as fit.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from pipeline.errors import JobError
from pipeline.prompts.marks import mark
from pipeline.prompts.tokenizer import Tokenizer, check_control_free
from pipeline.readers.document import Document, Segment, SegmentKind

BATCH_CHARS = 250_000
"""Characters given to the tokenizer at once: its own records of a batch are many times the text."""
WINDOW_CHARS = 20_000
"""Longest text encoded as one: tokenizers get slow, or fail, on megabytes without a space."""
GRAINS = 16
"""Parts of a segment that were cut at a border are at least about this fraction of the limit, where borders allow."""
MAX_MARK_TOKENS = 48
"""Longest mark on a part of a segment, and never more than a quarter of the budget; a longer one is left out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The smallest thing a chunk is made of.

    Attributes:
        segment_index: The segment it is, or is part of.
        start: First character in the document's text (inclusive).
        end: End of its characters (exclusive).
        token_ids: Ids of the mark (before a segment's first piece) and the text; empty where there is no text.
        lead_ids: Ids of the mark that says "continued", for a chunk that starts with this piece.
        is_whole: Whether it is a whole segment.
    """

    segment_index: int
    start: int
    end: int
    token_ids: Sequence[int]
    lead_ids: Sequence[int]
    is_whole: bool


def build_pieces(document: Document, tokenizer: Tokenizer, budget_tokens: int) -> list[Piece]:
    """Tokenize a document, once, in batches.

    Segments without text (empty pages, scans) become pieces without tokens: the marks around them show the gap.

    Args:
        document: The document.
        tokenizer: The model's.
        budget_tokens: Most tokens a chunk may have. Where every segment fits, all pieces are whole. Where one does
            not, room for a mark is set aside: no piece has more than budget_tokens - r tokens, and no lead more than
            r, with r = min(MAX_MARK_TOKENS, budget_tokens // 4). With budget 1000, r = 48.

    Returns:
        Pieces in order; the first starts at 0, each where the one before it ended, the last ends at len(text).

    Raises:
        JobError: The budget is too small for a single character.
    """
    encode = _encoder(tokenizer)
    texts = [_shown_text(segment, document.text[segment.start : segment.end]) for segment in document.segments]
    encoded = encode(texts)
    reserve = min(MAX_MARK_TOKENS, budget_tokens // 4)
    limit = budget_tokens if all(len(ids) <= budget_tokens for ids in encoded) else budget_tokens - reserve
    pieces: list[Piece] = []
    for index, (segment, ids) in enumerate(zip(document.segments, encoded, strict=True)):
        if len(ids) <= limit:
            pieces.append(Piece(index, segment.start, segment.end, ids, (), is_whole=True))
        else:
            pieces += _split_segment(document, index, len(ids), encode, (limit, reserve))
    return pieces


_NO_IDS = array("i")
Encode = Callable[[Sequence[str]], "list[array[int]]"]


def _encoder(tokenizer: Tokenizer) -> Encode:
    """The tokenizer's encode_batch, in bounded batches of bounded texts, checked."""

    def encode(texts: Sequence[str]) -> list[array[int]]:
        results = [_NO_IDS] * len(texts)
        for batch in _iter_batches(texts):
            encoded = tokenizer.encode_batch([window for _, window in batch])
            check_control_free(encoded, tokenizer.control_ids)
            for (index, _), ids in zip(batch, encoded, strict=True):
                if results[index]:
                    results[index].extend(ids)
                else:
                    results[index] = ids
        return results

    return encode


def _iter_batches(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Windows of the texts, each with the index of its text, about BATCH_CHARS characters at a time."""
    batch: list[tuple[int, str]] = []
    n_chars = 0
    for index, text in enumerate(texts):
        is_one = 0 < len(text) <= WINDOW_CHARS
        for window in (text,) if is_one else cut_evenly(text, -(-len(text) // WINDOW_CHARS)):
            batch.append((index, window))
            n_chars += len(window)
            if n_chars >= BATCH_CHARS:
                yield batch
                batch, n_chars = [], 0
    if batch:
        yield batch


def _shown_text(segment: Segment, text: str) -> str:
    """The segment as the model sees it; empty when there is nothing to see."""
    body, end = _trim(text)
    return _prefix(segment) + body + end if body else ""


def _prefix(segment: Segment, *, continued: bool = False) -> str:
    """A page's mark has its own line, others stand before their words."""
    words = mark(segment, continued=continued)
    return words and words + ("\n" if segment.kind is SegmentKind.PAGE else " ")


_SURROGATES = re.compile("[\ud800-\udfff]")


def _trim(text: str) -> tuple[str, str]:
    """The text without the blank space at its end, and what ends it: a newline, or two where a blank line followed."""
    body = text.rstrip()
    end = "\n\n" if text.count("\n", len(body)) > 1 else "\n"
    return body if body.isascii() else _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", body), end


def _split_segment(document: Document, index: int, n_tokens: int, encode: Encode, room: tuple[int, int]) -> list[Piece]:
    """The pieces of a segment of n_tokens, more than the limit. Marks with more tokens than the reserve are left out.

    Args:
        document: Its document.
        index: Which segment.
        n_tokens: How many tokens it has in one piece.
        encode: Gives the ids of each text.
        room: Limit of a piece, and reserve: what of it a mark may take.
    """
    limit, reserve = room
    segment = document.segments[index]
    body, end = _trim(document.text[segment.start : segment.end])
    first, lead, newline = encode([_prefix(segment), _prefix(segment, continued=True), end])
    first, lead = (ids if len(ids) <= reserve else array("i") for ids in (first, lead))
    parts = split_text(body, n_tokens, encode, limit - reserve - len(newline))
    parts[0] = (parts[0][0], first + parts[0][1])
    parts[-1] = (parts[-1][0], parts[-1][1] + newline)
    borders = list(accumulate((len(part) for part, _ in parts), initial=segment.start))
    borders[-1] = segment.end
    return [
        Piece(index, start, stop, ids, lead if start > segment.start else (), is_whole=False)
        for (start, stop), (_, ids) in zip(pairwise(borders), parts, strict=True)
    ]


_BORDERS = (
    re.compile(r"\n[^\S\n]*\n\s*"),  # after a paragraph
    re.compile(r"\n"),  # after a line
    re.compile(r"(?<=[.!?…])\s+|(?<=[\u3002\uff01\uff1f])"),  # after a sentence, in East Asian text too
)


def split_text(text: str, n_tokens: int, encode: Encode, limit: int) -> list[tuple[str, array[int]]]:
    r"""Cut a text into parts of at most `limit` tokens: paragraphs; those still too large into lines; and so on.

    Parts much smaller than the limit are joined: a megabyte of two-letter lines needs no half a million parts.

    Example:
        With one token a word and limit 4, "a b c\n\nd e f g\nh i j" gives "a b c\n\n", "d e f g\n", "h i j".

    Args:
        text: Not empty.
        n_tokens: How many tokens it has, about; at least `limit`.
        encode: Gives the ids of each text.
        limit: Most tokens of a part, at least 1.

    Returns:
        Parts that join to the text, each with its ids.

    Raises:
        JobError: One character has more than `limit` tokens.
    """
    grain_chars = len(text) * limit // (n_tokens * GRAINS)
    cuts = (_cut_at(text, border, grain_chars) for border in _BORDERS)
    parts = next((parts for parts in cuts if len(parts) > 1), None) or cut_evenly(text, 1 + n_tokens * 9 // (limit * 8))
    fitting: list[tuple[str, array[int]]] = []
    for part, ids in zip(parts, encode(parts), strict=True):
        if len(ids) <= limit:
            fitting.append((part, ids))
        elif len(part) == 1:
            raise JobError(
                f"The character {part!r} has {len(ids)} tokens, a part may have {limit}. Allow larger chunks."
            )
        else:
            fitting += split_text(part, len(ids), encode, limit)
    return fitting


def _cut_at(text: str, border: re.Pattern[str], grain_chars: int) -> list[str]:
    """Cut after each match of the border that is at least grain_chars behind the last cut and not at the end."""
    ends = [0]
    for match in border.finditer(text):
        if max(grain_chars, 1) <= match.end() - ends[-1] and match.end() < len(text):
            ends.append(match.end())
    return [text[start:end] for start, end in pairwise([*ends, len(text)])]


def cut_evenly(text: str, n_parts: int) -> list[str]:
    """Cut into at least `n_parts` parts of nearly the same length, before a space or newline where one is near.

    Example:
        "one two three four" in 2 gives "one two", " three fo", "ur": borders move back by a quarter part at most.
    """
    size = -(-len(text) // max(n_parts, 1))
    parts: list[str] = []
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            nearest = end - size // 4
            space = max(text.rfind(" ", nearest, end), text.rfind("\n", nearest, end))
            end = space if space > start else end
        parts.append(text[start:end])
        start = end
    return parts
