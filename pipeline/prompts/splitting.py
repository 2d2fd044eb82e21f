"""A chunk in, its two halves out: what is asked when the whole gave an answer that was cut, or known not to be all.

Pure arithmetic over the borders that the chunk brought with it; knows no tokenizer and no text.
"""

from __future__ import annotations

import dataclasses

from pipeline.prompts.prompt import Borders, Chunk, join_ids


def split(chunk: Chunk) -> tuple[Chunk, Chunk] | None:
    """Cut a chunk at the border nearest to the middle of its tokens.

    The halves tile it: the first keeps its start and its overlap, the second begins where the first ends and repeats
    nothing. Each has text of its own: pieces without tokens (empty pages) go with those before them. No half is over
    the budget that the chunk was cut for.

    Example:
        Pages of 40, 10, 30 and 20 tokens: pages 1-2 and 3-4. Half "0" of those: pages 1 and 2.

    Returns:
        The halves, whose parts are the chunk's with "0" and with "1"; None when it is one piece, or has text in one
        piece only.
    """
    place = _middle(chunk)
    if place is None:
        return None
    borders = chunk.borders
    cut, character = borders.tokens[place], borders.characters[place]
    lead = borders.leads.get(place, ())
    first = dataclasses.replace(
        chunk,
        end=character,
        last_segment=borders.segments[place - 1],
        token_ids=chunk.token_ids[:cut],
        part=f"{chunk.part}0",
        borders=_part(borders, 0, place, 0),
    )
    second = dataclasses.replace(
        chunk,
        start=character,
        new_start=character,
        first_segment=borders.segments[place],
        token_ids=join_ids([lead, chunk.token_ids[cut:]]),
        n_repeated_tokens=0,
        part=f"{chunk.part}1",
        borders=_part(borders, place, len(borders.tokens), len(lead) - cut),
    )
    return first, second


def _middle(chunk: Chunk) -> int | None:
    """The piece with which the second half begins."""
    tokens, n_tokens = chunk.borders.tokens, len(chunk.token_ids)
    places = {
        tokens[place]: place for place in range(1, len(tokens)) if tokens[0] < tokens[place] < n_tokens
    }  # of pieces that begin at the same id, all but the last have none
    return places[min(places, key=lambda offset: abs(2 * offset - n_tokens))] if places else None


def _part(borders: Borders, first: int, end: int, shift: int) -> Borders:
    """The borders [first, end), their tokens moved by `shift`."""
    return Borders(
        tokens=type(borders.tokens)("q", (offset + shift for offset in borders.tokens[first:end])),
        characters=borders.characters[first:end],
        segments=borders.segments[first:end],
        leads={place - first: lead for place, lead in borders.leads.items() if first <= place < end},
    )
