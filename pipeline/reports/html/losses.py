"""What lost against the values of a row: lines of `conflicts/` in, as a page shows them out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.reports.html.wording import clock_time, in_words, json_in_words


@dataclass(frozen=True, slots=True)
class Loss:
    """A value that a chunk's answer has and the row has not.

    Attributes:
        task: The task.
        pointer: JSON pointer in the row.
        kept: What the row has, in words.
        lost: What this chunk said, in words.
        policy: Why the other one stands in the row.
        place: Pages or times of the chunk, in words.
        segment_index: Segment that the chunk begins with, from 0.
    """

    task: str
    pointer: str
    kept: str
    lost: str
    policy: str
    place: str
    segment_index: int


def build_losses(lines: Sequence[Mapping[str, Any]], starts: Sequence[int]) -> list[Loss]:
    """The losses of a document.

    Args:
        lines: Its lines of `conflicts/`.
        starts: Where each of its segments starts, ascending.
    """
    return [
        Loss(
            task=line["task"],
            pointer=line["pointer"],
            kept=json_in_words(line["kept"]),
            lost=json_in_words(line["lost"]),
            policy=in_words(line["policy"]),
            place=_place(line),
            segment_index=max(bisect_right(starts, line["start"]) - 1, 0),
        )
        for line in lines
    ]


def _place(line: Mapping[str, Any]) -> str:
    if line["first_page"] is not None:
        first, last = line["first_page"], line["last_page"]
        return f"page {first}" if last in (None, first) else f"pages {first} to {last}"
    if line["start_ms"] is not None:
        return f"from {clock_time(line['start_ms'])}"
    return f"chunk {line['chunk_index'] + 1}"
