"""The quotes of one document: lines of `evidence/` in, numbered citations as a page shows them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.reports.html.highlights import Span
from pipeline.reports.html.wording import clock_time

GRADES = {
    "exact": "found to the letter",
    "normalized": "found, but for spaces, case, quotes, hyphens or the like",
    "parts": "found in parts that stand near each other",
    "fuzzy": "found with different letters",
    "missing": "not found in what the model read",
}
"""The grades of a quote, best first, and what each means."""
AGREEMENTS = {
    "agrees": "the words of the quote say the value",
    "unchecked": "nothing says whether the words mean the value",
    "disagrees": "the words of the quote say something else",
}
"""What came of holding a value against the words of its quote, and what each means."""


class Look(StrEnum):
    """How a citation is marked, in the value's list and in the text."""

    PLAIN = "plain"
    """Verified."""
    UNSURE = "unsure"
    """Verified, by resemblance only."""
    WRONG = "wrong"
    """Not verified."""
    LOST = "lost"
    """Its value is not in the row."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One quote that an answer gave for a value.

    Attributes:
        number: On its page, from 1.
        task: The task.
        pointer: JSON pointer of the value in the row.
        is_in_row: Whether the row has the value.
        value: The value, JSON text.
        quote: As the model wrote it.
        grade: One of GRADES.
        score: Similarity of quote and found text, 0 to 1.
        agreement: One of AGREEMENTS.
        look: How it is marked.
        place: Page or time and speaker, in words; empty when it was not found.
        reason: Why it is not verified, a sentence; empty when it is.
        n_places: Places in what the model read where the quote stands.
        start: First character of the found words in the document; None when there are none.
        end: End (exclusive), likewise.
    """

    number: int
    task: str
    pointer: str
    is_in_row: bool
    value: str
    quote: str
    grade: str
    score: float
    agreement: str
    look: Look
    place: str
    reason: str
    n_places: int
    start: int | None
    end: int | None

    @property
    def is_found(self) -> bool:
        """Whether a page can lead to its words."""
        return self.start is not None


def build_citations(lines: Iterable[Mapping[str, Any]], n_chars: int, name_at: Callable[[int], str]) -> list[Citation]:
    """Number a document's citations by where their words stand, those without any last.

    Args:
        lines: Its lines of `evidence/`.
        n_chars: Characters of the document; a span beyond them counts as none.
        name_at: The name of the segment in which a character stands, for places that have no page and no time.
    """
    placed = [(_span(line, n_chars), line) for line in lines]
    placed.sort(key=lambda item: (item[0] is None, item[0] or (0, 0), item[1]["task"], item[1]["pointer"]))
    return [
        _citation(number, line, span, (_place(line) or name_at(span[0])) if span else "")
        for number, (span, line) in enumerate(placed, 1)
    ]


def build_spans(citations: Sequence[Citation]) -> list[Span]:
    """The spans to mark in the text."""
    return [
        Span(one.start, one.end, one.number, one.look.value)
        for one in citations
        if one.start is not None and one.end is not None
    ]


def _span(line: Mapping[str, Any], n_chars: int) -> tuple[int, int] | None:
    start, end = line["start"], line["end"]
    if start is None or end is None or not 0 <= start < end <= n_chars:
        return None
    return start, end


def _citation(number: int, line: Mapping[str, Any], span: tuple[int, int] | None, place: str) -> Citation:
    start, end = span or (None, None)
    return Citation(
        number=number,
        task=line["task"],
        pointer=line["pointer"],
        is_in_row=line["is_in_row"],
        value=line["value"],
        quote=line["quote"],
        grade=line["grade"],
        score=line["score"],
        agreement=line["agreement"],
        look=_look(line),
        place=place,
        reason=_reason(line),
        n_places=line["n_places"],
        start=start,
        end=end,
    )


def _look(line: Mapping[str, Any]) -> Look:
    if not line["is_in_row"]:
        return Look.LOST
    if not line["is_verified"]:
        return Look.WRONG
    return Look.UNSURE if line["grade"] == "fuzzy" else Look.PLAIN


def _reason(line: Mapping[str, Any]) -> str:
    if line["is_verified"]:
        return ""
    if line["grade"] == "missing":
        return "The quote is not in what the model read."
    if line["agreement"] == "disagrees":
        return "The quote is there, and says something else than the value."
    return "Not verified."


def _place(line: Mapping[str, Any]) -> str:
    """For instance "page 3 (iii)", "pages 3 to 4", "0:12:07 Alice"; empty when there is no such thing."""
    words = []
    if line["first_page"] is not None:
        first, last = line["first_page"], line["last_page"]
        words.append(f"page {first}" if last in (None, first) else f"pages {first} to {last}")
        if line["page_label"] not in (None, "", str(first)):
            words.append(f"({line['page_label']})")
    if line["start_ms"] is not None:
        words.append(clock_time(line["start_ms"]))
    if line["speaker"]:
        words.append(line["speaker"])
    return " ".join(words)
