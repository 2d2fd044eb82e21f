"""Two readings of one page in, one page out: which is right, and why. Knows nothing of files."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.readers import quality
from pipeline.readers.document import SegmentStatus
from pipeline.readers.pdf_text import clean_text

_SAME = 0.9
"""From this agreement on, two readings are the same text."""
_MORE = 1.1
"""The second reading has more when it has so many times the visible characters of the first."""
_MIN_SPLIT_WORDS = 2
"""One word apart may be the other reading's two words glued."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one library says of one page.

    Attributes:
        reader: The library's name.
        text: As found; "" when it found none or failed.
        doubt: What the library itself says it could not do.
        error: Why it failed; "" when it did not.
    """

    reader: str
    text: str = ""
    doubt: str = ""
    error: str = ""

    @property
    def is_blank(self) -> bool:
        """True without a visible character."""
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it will stand in the document. `text` is empty unless READ, `detail` as in Segment."""

    status: SegmentStatus
    text: str = ""
    reader: str = ""
    detail: str = ""


def is_doubtful(reading: Reading) -> bool:
    """True when this reading alone shows that another is needed: it failed, is blank, or has characters of no text."""
    return reading.is_blank or bool(
        quality.count_undecoded(reading.text) or quality.count_presentation_forms(reading.text)
    )


def choose(first: Reading, second: Reading, has_image: bool) -> Page:
    """The page from two readings, the first preferred.

    Args:
        first: The preferred library's.
        second: The other's; with an error when it could not be asked.
        has_image: Whether the page shows an image; matters only when neither found text.
    """
    best, why = _better(first, second)
    if best.is_blank:
        return _without_text(first, second, has_image)
    if quality.is_garbled(best.text):
        return Page(SegmentStatus.GARBLED, reader=best.reader, detail=_share(best, "of the characters are undecoded"))
    return Page(SegmentStatus.READ, clean_text(best.text), best.reader, why)


def _better(first: Reading, second: Reading) -> tuple[Reading, str]:
    """The better reading, and why it is not simply the first."""
    if first.is_blank:
        return second, first.error or f"{first.reader} found no text"
    if second.is_blank:
        return first, ""
    if quality.is_garbled(first.text) != quality.is_garbled(second.text):
        if quality.is_garbled(second.text):
            return first, ""
        return second, _share(first, f"of the characters by {first.reader} are undecoded")
    why = _fault(first, second)
    return (second, why) if why else (first, "")


def _fault(first: Reading, second: Reading) -> str:
    """What the second reading shows to be wrong with the first, both being readable; "" when nothing."""
    n_lost = quality.count_undecoded(first.text) - quality.count_undecoded(second.text)
    if n_lost > 0:
        return f"{first.reader} left {n_lost} characters undecoded"
    if quality.count_presentation_forms(first.text) > quality.count_presentation_forms(second.text):
        return f"{first.reader} gives Arabic letters in drawing order"
    if quality.is_doubled(first.text, second.text):
        return f"{first.reader} has every character twice"
    agreement = quality.agreement(first.text, second.text)
    n_first, n_second = quality.count_visible(first.text), quality.count_visible(second.text)
    if agreement < _SAME and n_second > _MORE * n_first:
        return f"{first.reader} found {n_first} of {n_second} characters"
    if first.doubt and n_second >= _SAME * n_first:
        return f"{first.reader}: {first.doubt}"
    n_split = quality.count_split_words(first.text, second.text)
    if agreement >= _SAME and n_split >= max(_MIN_SPLIT_WORDS, 1 + quality.count_split_words(second.text, first.text)):
        return f"{first.reader} splits {n_split} words"
    return ""


def _without_text(first: Reading, second: Reading, has_image: bool) -> Page:
    """A page neither library found text on. A failure beside an empty answer counts: what failed may be the text."""
    errors = "; ".join(reading.error for reading in (first, second) if reading.error)
    reader = next((reading.reader for reading in (first, second) if not reading.error), "")
    if has_image:
        return Page(SegmentStatus.IMAGE_ONLY, reader=reader, detail=errors or "the page is an image without text")
    if first.error:
        return Page(SegmentStatus.FAILED, reader=reader, detail=errors)
    return Page(SegmentStatus.EMPTY, reader=reader, detail=errors or "nothing is written on the page")


def _share(reading: Reading, what: str) -> str:
    share = quality.count_undecoded(reading.text) / quality.count_visible(reading.text)
    return f"{min(share, 1):.0%} {what}"
