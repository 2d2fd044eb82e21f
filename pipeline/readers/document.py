"""The Document: the text of one source with its segments, as every later stage sees it.

Text holds no marks of ours: it is what the reader found, and spans in any table point into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import RejectCode


class SegmentKind(StrEnum):
    """What a segment is in its source."""

    PAGE = "page"
    CUE = "cue"
    TURN = "turn"
    PARAGRAPH = "paragraph"


class SegmentStatus(StrEnum):
    """The one recorded state of a segment.

    Only READ segments carry text; the others keep their place with none, except MALFORMED, whose text is the raw lines
    that could not be parsed.
    """

    READ = "read"
    EMPTY = "empty"
    IMAGE_ONLY = "image_only"
    GARBLED = "garbled"
    FAILED = "failed"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Segment:
    """The smallest unit that has a name a person can look up.

    Attributes:
        kind: Page, cue, turn or paragraph.
        start: First character in the document's text (inclusive).
        end: End of the characters (exclusive); includes the separator that follows the segment's own text.
        status: What became of it.
        reader: Who read it, for instance "pypdf" or "pypdfium2".
        page_number: From 1; None outside PDFs.
        page_label: The label printed by the PDF's own numbering, such as "iv"; None when it has none.
        start_ms: Start in milliseconds from the start of the recording; None when unknown.
        end_ms: End, likewise.
        speaker: Name as given in the source; None when unknown.
        detail: Why it is not READ, or why a second reader was asked; empty otherwise.
    """

    kind: SegmentKind
    start: int
    end: int
    status: SegmentStatus = SegmentStatus.READ
    reader: str = ""
    page_number: int | None = None
    page_label: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    speaker: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one source.

    Attributes:
        doc_id: Stable identity, from the uri or the manifest.
        doc_key: Identity of this content; changes when the bytes change.
        uri: Where the source lies.
        format: What it was read as: "pdf", "webvtt", "srt", "json", "text", "markdown", ...
        text: All characters, no marks.
        segments: In order; they tile the text: the first starts at 0, each starts where the one before it ended,
            the last ends at len(text).
        metadata: Name and value pairs found in the source (title, author, ...), in source order.
    """

    doc_id: str
    doc_key: str
    uri: str
    format: str
    text: str
    segments: tuple[Segment, ...]
    metadata: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check the tiling, the promise every later stage stands on."""
        position = 0
        for segment in self.segments:
            if segment.start != position or segment.end < segment.start:
                raise ValueError(f"{self.uri}: segments do not tile the text at character {position}: {segment}")
            position = segment.end
        if position != len(self.text):
            raise ValueError(f"{self.uri}: segments end at {position}, the text at {len(self.text)}")


class UnreadableError(Exception):
    """Raised inside a reader when the source as a whole gives no document; `read_source` turns it into a Reject."""

    def __init__(self, code: RejectCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[UnreadableError], tuple[RejectCode, str]]:
        """Pickle by its facts: readers run in child processes."""
        return (UnreadableError, (self.code, self.detail))
