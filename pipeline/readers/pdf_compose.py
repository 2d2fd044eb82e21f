"""Pages in, a Document out. Knows no PDF library, so that the parent of the reading processes can do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.errors import RejectCode
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus, UnreadableError
from pipeline.readers.parts import Head
from pipeline.readers.pdf_choice import Page
from pipeline.readers.pdf_text import clean_line
from pipeline.sources import Source

SEPARATOR = "\n\n"
"""Follows the text of each page that has text, inside its segment."""


def compose(source: Source, head: Head, pages: Sequence[Page]) -> Document:
    """Put the pages' texts behind each other, each followed by SEPARATOR.

    Raises:
        UnreadableError: IMAGE_ONLY, GARBLED_TEXT, CORRUPT or NO_TEXT when no page has usable text.
    """
    _check_text(pages)
    texts: list[str] = []
    segments: list[Segment] = []
    position = 0
    for index, page in enumerate(pages):
        text = page.text + SEPARATOR if page.text else ""
        label = head.labels[index] if index < len(head.labels) else None
        segments.append(
            Segment(
                kind=SegmentKind.PAGE,
                start=position,
                end=position + len(text),
                status=page.status,
                reader=page.reader,
                page_number=index + 1,
                page_label=clean_line(label) or None if label else None,
                detail=clean_line(page.detail),
            )
        )
        texts.append(text)
        position += len(text)
    return Document(
        doc_id=source.doc_id,
        doc_key=source.doc_key,
        uri=source.uri,
        format="pdf",
        text="".join(texts),
        segments=tuple(segments),
        metadata=tuple((clean_line(name), clean_line(value)) for name, value in head.metadata),
    )


def _check_text(pages: Sequence[Page]) -> None:
    """Refuse a document without one usable page, saying what its pages are."""
    counts = Counter(page.status for page in pages)
    if counts[SegmentStatus.READ]:
        return
    what = ", ".join(f"{n} {status.value.replace('_', ' ')}" for status, n in counts.items())
    detail = f"No page of {len(pages)} has usable text ({what})."
    if counts[SegmentStatus.IMAGE_ONLY]:
        raise UnreadableError(RejectCode.IMAGE_ONLY, detail)
    if counts[SegmentStatus.GARBLED]:
        raise UnreadableError(RejectCode.GARBLED_TEXT, detail)
    if counts[SegmentStatus.FAILED]:
        why = next(page.detail for page in pages if page.status is SegmentStatus.FAILED)
        raise UnreadableError(RejectCode.CORRUPT, f"{detail[:-1]}: {why}.")
    raise UnreadableError(RejectCode.NO_TEXT, detail)
