"""Running text: speaker turns where the labels are believed, else paragraphs. Markdown keeps its marks.

In: clean text. Out: cues whose texts concatenate to it exactly; only YAML front matter moves, into the metadata.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.readers.cues import Cue, Transcript, iter_lines
from pipeline.readers.document import SegmentKind
from pipeline.readers.frontmatter import split_front_matter
from pipeline.readers.labels import Label, find_labels


def read_text(text: str, *, markdown: bool) -> Transcript:
    """Read a text as turns or paragraphs.

    A turn runs from its label to the next label or Markdown heading, and starts with the label: the text stays what
    the file says. What stands before the first label, and headings, are paragraphs. A paragraph ends with the blank
    lines after it.

    Args:
        text: Clean text.
        markdown: The file is Markdown: lines that begin with # are headings, and the format is called "markdown".

    Returns:
        Format "markdown", else "turns" when speakers were found, else "text".
    """
    metadata, body = split_front_matter(text)
    lines = list(iter_lines(body))
    bare = [line.rstrip("\n") for line in lines]
    labels = {label.line_index: label for label in find_labels(bare, _count_paragraphs(bare))}
    cues = tuple(_iter_cues(lines, labels, markdown))
    plain = "turns" if labels else "text"
    return Transcript(format="markdown" if markdown else plain, cues=cues, separator="", metadata=metadata)


def _count_paragraphs(lines: list[str]) -> int:
    blank_before = [True, *(not line.strip() for line in lines)]
    return sum(1 for line, blank in zip(lines, blank_before, strict=False) if blank and line.strip())


def _iter_cues(lines: list[str], labels: dict[int, Label], markdown: bool) -> Iterator[Cue]:
    """Cut before each label, each heading and, outside turns, each paragraph."""
    start, turn = 0, labels.get(0)
    words_seen = blank_before = False
    for index, line in enumerate(lines):
        has_words = bool(line.strip())
        heading = markdown and line.lstrip(" ").startswith("#")
        new_paragraph = turn is None and blank_before and has_words
        if index > start and words_seen and (index in labels or heading or new_paragraph):
            yield _cue("".join(lines[start:index]), turn)
            start, turn, words_seen = index, labels.get(index), False
        elif not words_seen and index in labels:
            turn = labels[index]
        words_seen = words_seen or has_words
        blank_before = not has_words
    if start < len(lines):
        yield _cue("".join(lines[start:]), turn)


def _cue(text: str, label: Label | None) -> Cue:
    if label is None:
        return Cue(text=text, kind=SegmentKind.PARAGRAPH)
    return Cue(text=text, kind=SegmentKind.TURN, start_ms=label.start_ms, speaker=label.speaker)
