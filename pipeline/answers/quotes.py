"""Where a quote stands in a text: the quote as a model wrote it in, a span of the text and how sure it is out.

    exact       to the letter
    normalized  but for white space, case, quotation marks, dashes, Markdown and Unicode forms (see `normalised`)
    parts       its parts are there in their order, and little between them: an ellipsis, or a page's end and the next
                one's head that the model left out
    fuzzy       but for some characters; the digits are all the same
    missing     it is not there

A quote begins and ends where words do, unless it is long. Takes time in proportion to the text: once to index it, and
little more for each quote. Source of the search for what is similar: seeds of equal length on one diagonal, then
Myers' alignment with free ends in the text (edlib).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import islice, repeat

import edlib

from pipeline.answers.normalised import Folded, fold, fold_text, is_folded_away
from pipeline.answers.seeds import Hits, Seeds

MIN_SCORE = 0.85
"""Least similarity of a fuzzy find."""
_LONG = 12
"""Folded characters from which a quote may begin or end inside a word, and from which it may be similar only; in
scripts of syllables and words a third of it."""
_MOST_PLACES = 100
_MOST_LOOKED = 5_000
"""Places looked at for a short quote, which may stand inside of many words before it stands alone."""
_GAP = 600
"""Folded characters that may stand between the parts of a quote."""
_PART = 8
"""Folded characters that a part has at least."""
_ELLIPSIS = re.compile(r"[\[(]?(?:\.\s?\.\s?\.+|…+)[\])]?")
_DOTS_BEFORE = re.compile(r"[\[(]?(?:\.\s?\.\s?\.|…)[.…\s]*[\])]?\s*")
_DOTS_AFTER = re.compile(r"\s*[\[(]?(?:\.\s?\.\s?\.|…)[.…\s]*[\])]?$")
_MOST_DOTS = 8
"""Ellipses of a quote that are tried one by one."""
_DOTS = 40
"""Characters at a quote's end that its last dots are looked for in."""
_DIGITS = re.compile(r"\d+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7af\uf900-\ufaff]")
"""Letters of scripts that put no space between words; Hangul, which does, is written in syllables all the same."""


class Grade(StrEnum):
    """How a quote was found, the surest first."""

    EXACT = "exact"
    NORMALIZED = "normalized"
    PARTS = "parts"
    FUZZY = "fuzzy"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Located:
    """What became of a quote.

    Attributes:
        grade: How it was found.
        score: Share of the folded quote that stands there, 0 to 1; 1 but for fuzzy, 0 when missing.
        start: First character in the text (inclusive); 0 when missing.
        end: End of the characters (exclusive); 0 when missing.
        n_places: Places where it stands, up to 100, normalized ones counted too; the span is the first of its grade.
            0 when missing.
    """

    grade: Grade
    score: float = 0.0
    start: int = 0
    end: int = 0
    n_places: int = 0


MISSING = Located(Grade.MISSING)


class QuoteFinder:
    """Finds quotes in one text.

    Args:
        text: The text.
        min_score: Least similarity of a fuzzy find, 0.5 to 1; 1: no find is fuzzy.
    """

    def __init__(self, text: str, min_score: float = MIN_SCORE) -> None:
        self._text, self._min_score = text, min_score

    @cached_property
    def _folded(self) -> Folded:
        return fold(self._text)

    @cached_property
    def _seeds(self) -> Seeds:
        return Seeds(self._folded.text)

    def find(self, quote: str) -> Located:
        """Where a quote stands; of several places the first."""
        quote = quote.strip()
        folded = fold_text(quote)
        if not folded:
            return MISSING
        hits = self._seeds.hits(folded)
        if hits.are_complete or is_folded_away(quote[0]) or is_folded_away(quote[-1]):  # whose folding looks around
            candidates = hits.candidates(_MOST_PLACES)
            has_ends = quote[0].isalnum() and quote[-1].isalnum()  # which are folded to what stands at a candidate
            exact = self._exact(quote, len(folded), candidates if has_ends else None)
            there = self._normalized(quote, folded, candidates)
            if exact is not None:
                return exact if there is None else replace(exact, n_places=max(exact.n_places, there.n_places))
            if there is not None:
                return there
        bare = _without_outer_dots(quote)
        if bare != quote:
            return self.find(bare)
        return self._elided(quote) or self._similar(folded, hits) or MISSING

    def _exact(self, quote: str, n_folded: int, candidates: list[int] | None) -> Located | None:
        """To the letter: at the candidates, folded positions, or anywhere when there are too many."""
        starts = None if candidates is None else dict.fromkeys(int(self._folded.origins[i]) for i in candidates)
        spans = ((i, i + len(quote)) for i in _places(self._text, quote, starts))
        return self._first_whole(Grade.EXACT, spans, may_cut=n_folded >= _LONG)

    def _normalized(self, quote: str, folded: str, candidates: list[int] | None) -> Located | None:
        places = _places(self._folded.text, folded, candidates)
        spans = (self._span(i, i + len(folded), quote) for i in places)
        return self._first_whole(Grade.NORMALIZED, spans, may_cut=len(folded) >= _LONG)

    def _first_whole(self, grade: Grade, spans: Iterator[tuple[int, int]], *, may_cut: bool) -> Located | None:
        """The first span that cuts no word; if there is none and it may cut one, the first."""
        found = list(islice(spans, _MOST_PLACES if may_cut else _MOST_LOOKED))
        whole = [span for span in found if not (self._is_inside(span[0]) or self._is_inside(span[1]))]
        places = whole[:_MOST_PLACES] or (found if may_cut else [])
        return Located(grade, 1.0, *places[0], len(places)) if places else None

    def _elided(self, quote: str) -> Located | None:
        """A quote with an ellipsis: its parts, one after the other."""
        dots = [match.span() for match in _ELLIPSIS.finditer(quote)][:_MOST_DOTS]
        one_each = ([quote[:start], quote[end:]] for start, end in dots)  # the others are the document's own
        for texts in (_ELLIPSIS.split(quote), *(one_each if len(dots) > 1 else ())):
            parts = [part for part in map(fold_text, texts) if part]
            if len(parts) > 1 and min(map(len, parts)) >= self._least(_PART, parts[0]):
                there = self._in_order(parts)
                if there is not None:
                    return there
        return None

    def _in_order(self, parts: list[str]) -> Located | None:
        """Folded parts that stand one after the other, with no more than a gap between two."""
        for first in islice(_occurrences(self._folded.text, parts[0]), _MOST_PLACES):
            end = first + len(parts[0])
            for part in parts[1:]:
                start = self._folded.text.find(part, end, end + _GAP + len(part))
                if start < 0:
                    break
                end = start + len(part)
            else:
                return Located(Grade.PARTS, 1.0, *self._span(first, end), 1)
        return None

    def _similar(self, folded: str, hits: Hits) -> Located | None:
        """A quote of which only a part, or two parts, or nearly all stand there."""
        if len(folded) < self._least(_LONG, folded):
            return None
        diagonals = hits.diagonals()
        return self._bridged(folded, diagonals) or self._fuzzy(folded, diagonals)

    def _bridged(self, folded: str, diagonals: list[int]) -> Located | None:
        """A quote that leaves out what stands between two of its parts, such as the foot of a page."""
        text, least = self._folded.text, self._least(_PART, folded)
        for first in diagonals:
            head = _n_equal(folded, text[max(first, 0) : first + len(folded)]) if first >= 0 else 0
            for last in diagonals:
                end = last + len(folded)
                if head < least or not 0 < last - first <= _GAP + len(folded) or end > len(text):
                    continue
                tail = _n_equal(folded[::-1], text[last:end][::-1])
                if tail >= least and head + tail >= len(folded):
                    return Located(Grade.PARTS, 1.0, *self._span(first, end), 1)
        return None

    def _fuzzy(self, folded: str, diagonals: list[int]) -> Located | None:
        n_errors = int((1 - self._min_score) * len(folded) + 1e-9)
        if not n_errors:
            return None
        alphabet = {char: 1 + i % 255 for i, char in enumerate(dict.fromkeys(folded))}
        query = bytes(map(alphabet.__getitem__, folded))
        best: tuple[int, int, int] | None = None
        for diagonal in diagonals:
            start = max(0, diagonal - n_errors - self._seeds.width)
            window = self._folded.text[start : diagonal + len(folded) + n_errors + self._seeds.width]
            target = bytes(map(alphabet.get, window, repeat(0)))
            aligned = edlib.align(query, target, mode="HW", task="locations", k=n_errors)
            if aligned["editDistance"] >= 0:
                n_errors = aligned["editDistance"] - 1
                best = self._best_ends(aligned["locations"], start, aligned["editDistance"])
                if n_errors < 0:
                    break
        if best is None or not _has_digits(folded, self._folded.text[best[0] : best[1]]):
            return None
        return Located(Grade.FUZZY, 1 - best[2] / len(folded), *self._span(best[0], best[1]), 1)

    def _best_ends(self, locations: list[tuple[int, int]], start: int, distance: int) -> tuple[int, int, int]:
        """Of alignments that are as good, one that cuts no word, and of those the longest."""

        def worth(location: tuple[int, int]) -> tuple[int, int]:
            first, last = self._span(start + location[0], start + location[1] + 1)
            return -self._is_inside(first) - self._is_inside(last), last - first

        first, last = max(locations, key=worth)
        return start + first, start + last + 1, distance

    def _span(self, first: int, last: int, quote: str = "") -> tuple[int, int]:
        """The characters that a span of folded ones came from, with the quotation marks that the quote has too."""
        origins, text = self._folded.origins, self._text
        start, end = int(origins[first]), int(origins[last - 1]) + 1
        before, after = _n_folded_away(quote), _n_folded_away(quote[::-1])
        while before and start and is_folded_away(text[start - 1]):
            start, before = start - 1, before - 1
        while after and end < len(text) and is_folded_away(text[end]):
            end, after = end + 1, after - 1
        return start, end

    def _is_inside(self, position: int) -> bool:
        """Whether a position of the text stands between two characters of one word."""
        return 0 < position < len(self._text) and _is_joined(self._text[position - 1], self._text[position])

    @staticmethod
    def _least(n_characters: int, folded: str) -> int:
        """So many letters, or as much in a script that says more with each."""
        return n_characters // 3 if _UNSPACED.match(folded) else n_characters


def _places(text: str, part: str, candidates: Iterable[int] | None) -> Iterator[int]:
    """Where a part stands: among the candidates, or anywhere."""
    if candidates is None:
        return _occurrences(text, part)
    return (place for place in candidates if text.startswith(part, place))


def _occurrences(text: str, part: str) -> Iterator[int]:
    """All of them; they may overlap."""
    position = text.find(part)
    while position >= 0:
        yield position
        position = text.find(part, position + 1)


def _n_equal(left: str, right: str) -> int:
    """Characters that two texts begin with alike."""
    n_equal, most = 0, min(len(left), len(right))
    while most > n_equal:  # doubling would not help: texts are short
        middle = (n_equal + most + 1) // 2
        if left[n_equal:middle] == right[n_equal:middle]:
            n_equal = middle
        else:
            most = middle - 1
    return n_equal


def _without_outer_dots(quote: str) -> str:
    """The quote without an ellipsis before or after it, which says that the sentence goes on."""
    before = _DOTS_BEFORE.match(quote)
    after = _DOTS_AFTER.search(quote, max(0, len(quote) - _DOTS))
    return quote[before.end() if before else 0 : after.start() if after else len(quote)].strip()


def _n_folded_away(quote: str) -> int:
    """Characters at its beginning of which nothing is left, but for white space."""
    return next((i for i, char in enumerate(quote) if not is_folded_away(char)), len(quote))


def _has_digits(quote: str, found: str) -> bool:
    """Whether the numbers of a quote all stand in what was found, in their order; others may stand between."""
    left = iter(_DIGITS.findall(found))
    return all(number in left for number in _DIGITS.findall(quote))


def _is_joined(left: str, right: str) -> bool:
    if _UNSPACED.match(left) or _UNSPACED.match(right):
        return unicodedata.category(right)[0] == "M"
    return _is_of_word(left) and _is_of_word(right)


def _is_of_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"
