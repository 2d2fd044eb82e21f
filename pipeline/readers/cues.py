"""The common step of all transcript readers: pieces of text with times and speakers become a tiled Document.

In: Cues in source order. Out: a Document whose segments tile its text. It does not know any format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import RejectCode
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus, UnreadableError
from pipeline.readers.encoding import clean_text
from pipeline.sources import Source


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue, turn or paragraph before its place in the text is known.

    Attributes:
        text: Its words; the raw lines when `problem` is set.
        kind: Cue, turn or paragraph.
        start_ms: Start in milliseconds; None when unknown.
        end_ms: End, likewise.
        speaker: Name as given; None when unknown.
        problem: What was wrong with it, a sentence; empty when nothing was.
    """

    text: str
    kind: SegmentKind = SegmentKind.CUE
    start_ms: int | None = None
    end_ms: int | None = None
    speaker: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a format's reader found.

    Attributes:
        format: "webvtt", "srt", "sbv", "json", "jsonl", "turns", "text" or "markdown".
        cues: In source order.
        separator: Goes between two cues that have text, as part of the first one's segment; empty when each cue's text
            already ends with its own line ends.
        metadata: (name, value) pairs found in the source.
    """

    format: str
    cues: tuple[Cue, ...]
    separator: str = "\n"
    metadata: tuple[tuple[str, str], ...] = ()


def build_document(source: Source, transcript: Transcript) -> Document:
    """Lay the cues out one after the other.

    Raises:
        UnreadableError: NO_TEXT when no cue has words; MALFORMED_TRANSCRIPT when all those with words are malformed.
    """
    parts: list[str] = []
    segments: list[Segment] = []
    position, last = 0, len(transcript.cues) - 1
    for index, cue in enumerate(transcript.cues):
        own = clean_text(cue.text)
        status = _status(cue, own)
        if status is SegmentStatus.EMPTY:
            own = ""
        elif index < last:
            own += transcript.separator
        parts.append(own)
        segments.append(_segment(cue, status, (position, position + len(own)), transcript.format))
        position += len(own)
    _check_words(transcript, segments)
    return Document(
        doc_id=source.doc_id,
        doc_key=source.doc_key,
        uri=source.uri,
        format=transcript.format,
        text="".join(parts),
        segments=tuple(segments),
        metadata=tuple((clean_text(name), clean_text(value)) for name, value in transcript.metadata),
    )


def _status(cue: Cue, text: str) -> SegmentStatus:
    if cue.problem:
        return SegmentStatus.MALFORMED
    return SegmentStatus.READ if text.strip() else SegmentStatus.EMPTY


def _segment(cue: Cue, status: SegmentStatus, span: tuple[int, int], reader: str) -> Segment:
    return Segment(
        kind=cue.kind,
        start=span[0],
        end=span[1],
        status=status,
        reader=reader,
        start_ms=cue.start_ms,
        end_ms=cue.end_ms,
        speaker=(clean_text(cue.speaker).strip() or None) if cue.speaker else None,
        detail=clean_text(cue.problem) if cue.problem else "",
    )


def _check_words(transcript: Transcript, segments: list[Segment]) -> None:
    if any(segment.status is SegmentStatus.READ for segment in segments):
        return
    problems = [cue.problem for cue in transcript.cues if cue.problem]
    if problems:
        raise UnreadableError(
            RejectCode.MALFORMED_TRANSCRIPT,
            f"Read as {transcript.format}, none of its {len(transcript.cues)} parts could be understood. "
            f"The first problem: {problems[0]}",
        )
    found = f"its {len(transcript.cues)} parts hold" if transcript.cues else "it holds"
    raise UnreadableError(RejectCode.NO_TEXT, f"Read as {transcript.format}, {found} no words.")


def split_paragraphs(text: str) -> Iterator[str]:
    """Cut a text before each first line after blank lines; the pieces concatenate to the text."""
    start, position, blank, seen_words = 0, 0, False, False
    for line in iter_lines(text):
        is_blank = not line.strip()
        if not is_blank:
            if blank and seen_words:
                yield text[start:position]
                start = position
            seen_words = True
        blank = is_blank
        position += len(line)
    if start < len(text):
        yield text[start:]


def iter_lines(text: str) -> Iterator[str]:
    """Lines with their a line feed; unlike str.splitlines, only a line feed ends one."""
    lines = text.split("\n")
    yield from (line + "\n" for line in lines[:-1])
    if lines[-1]:
        yield lines[-1]
