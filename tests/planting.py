"""Quotes planted in a text at known spans, and what became of them.

How they are changed: see `disturbing`. What a plant must be found as is worked out here without the finder: a quote is
unique in its text when its letters and digits alone, in order, stand there once.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.answers.citations import Citation
from pipeline.answers.ground import ReadText
from pipeline.answers.quotes import MIN_SCORE, Grade, Located
from pipeline.prompts.marks import mark
from pipeline.prompts.prompt import Chunk
from pipeline.readers.document import Document
from pipeline.schema.columns import Column, Kind

_SHORTEST, _LONGEST = 20, 300
_STOPS = ".,;:\uff0c\u3002\u3001\uff1b\uff1a\u06d4\u060c\u0964"
_UNSPACED = re.compile("[\u2e80-\ud7af]")


@dataclass(frozen=True, slots=True)
class Plant:
    """One quote and what must become of it.

    Attributes:
        kind: How it was disturbed, or why it is not there.
        quote: As a model might write it.
        start: Where it stands in the text (inclusive); 0 for what is not there.
        end: Its end (exclusive); 0 for what is not there.
        grades: Those that are right; only `missing` for what is not there.
    """

    kind: str
    quote: str
    start: int
    end: int
    grades: frozenset[Grade]

    @property
    def is_absent(self) -> bool:
        """Whether it is not there."""
        return Grade.MISSING in self.grades


class Field:
    """A text to plant quotes in.

    Args:
        text: The document's text.
        language: Its language, two letters.
        others: Other documents in the language, for quotes that are not there.
        invented: Sentences that stand in no document.
        marks: Where segments begin inside the text, each with the mark that names it in the prompt.
    """

    def __init__(
        self, text: str, language: str, others: list[str], invented: list[str], marks: Sequence[tuple[int, str]] = ()
    ) -> None:
        self.text, self.language, self.others, self.invented = text, language, others, invented
        self.marks = marks
        self.letters = letters(text)
        self.is_spaced = language not in ("zh", "ja")
        self.alphabet = sorted({char for char in text.lower() if char.isalpha()})
        self.words = re.findall(r"[^\W\d_]{3,}", text) if self.is_spaced else [c for c in text if c.isalpha()]

    def span(self, rng: random.Random, text: str | None = None, around: int | None = None) -> tuple[int, int] | None:
        """A span that begins and ends with words and stands nowhere else in the text; None when the try failed.

        Args:
            rng: Chooses it.
            text: Another document; None: this one.
            around: A position that lies inside; None: anywhere.
        """
        where = self.text if text is None else text
        length = min(int(rng.triangular(_SHORTEST, _LONGEST, 90)), len(where) // 2)
        start = rng.randrange(max(1, len(where) - length)) if around is None else max(0, around - length // 2)
        start, end = self._to_words(where, start, min(start + length, len(where)))
        quote = where[start:end]
        if not _SHORTEST <= len(quote) <= _LONGEST or len(letters(quote)) * 2 < len(quote):
            return None
        if text is None and count(self.letters, letters(quote)) != 1:
            return None
        return start, end

    def _to_words(self, text: str, start: int, end: int) -> tuple[int, int]:
        """Move both ends to the borders of words that have white space, a comma or a full stop beside them."""
        while start < end and not (_is_letter(text[start]) and (start == 0 or self._is_border(text[start - 1]))):
            start += 1
        while end > start and not (is_of_word(text[end - 1]) and (end == len(text) or self._is_border(text[end]))):
            end -= 1
        return start, end

    def _is_border(self, char: str) -> bool:
        return char.isspace() or char in _STOPS or (not self.is_spaced and bool(_UNSPACED.match(char)))


def field_of(document: Document, language: str, others: list[str], invented: list[str]) -> Field:
    """The field that a document's text is."""
    marks = [(segment.start, mark(segment)) for segment in document.segments if segment.start and mark(segment)]
    return Field(document.text, language, others, invented, marks)


def finder_of(document: Document, min_score: float = MIN_SCORE) -> Callable[[str], Located]:
    """What looks quotes up in a document, as a run does when one chunk holds all of it."""
    size, last = len(document.text), max(0, len(document.segments) - 1)
    read = ReadText(document, Chunk(document.doc_id, 0, 1, 0, size, 0, 0, last, ()), min_score)
    column = Column("", Kind.JSON)
    return lambda quote: read.look_up(Citation("", quote, True), column).located


def judge(plant: Plant, found: Located) -> str:
    """What became of a plant: "right", "grade", "elsewhere", "missed"; for what is absent "right" or "false"."""
    if plant.is_absent:
        return "right" if found.grade is Grade.MISSING else "false"
    if found.grade is Grade.MISSING:
        return "missed"
    if (found.start, found.end) != (plant.start, plant.end):
        return "elsewhere"
    return "right" if found.grade in plant.grades else "grade"


def letters(text: str) -> str:
    """The letters and digits of a text alone, without case and form: what says whether two texts are the same."""
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in flat if is_of_word(char))


def count(text: str, part: str) -> int:
    """Count the places of a part, also those that overlap; two are enough."""
    first = text.find(part)
    return 0 if first < 0 else 1 + (text.find(part, first + 1) >= 0)


def _is_letter(char: str) -> bool:
    return char.isalnum()


def is_of_word(char: str) -> bool:
    """Whether a character is a letter, a digit or a mark on one."""
    return char.isalnum() or unicodedata.category(char)[0] == "M"
