"""The mark before each segment: how the model knows, and can cite, where it is reading.

Labels and speakers come from the source and are not trusted: they cannot end the mark or begin a line.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from pipeline.readers.document import Segment, SegmentKind

MAX_NAME_CHARS = 40


def mark(segment: Segment, *, continued: bool = False) -> str:
    """What names a segment, in square brackets; empty where nothing does (a paragraph).

    `[page 12]`, `[page 12, labelled iv]`, `[00:14:03 Alice]`, `[Alice]`, `[00:14:03]`; and with continued
    `[page 12, continued]`, for the later parts of a segment that did not fit one prompt.
    """
    words = _page_words(segment) if segment.kind is SegmentKind.PAGE else _cue_words(segment)
    if not words:
        return ""
    return f"[{words}, continued]" if continued else f"[{words}]"


@lru_cache(maxsize=1024)  # a few speakers have thousands of turns
def clean_name(name: str) -> str:
    """A label or speaker as it may stand in a mark: one line, no brackets, at most MAX_NAME_CHARS characters."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in name[: 8 * MAX_NAME_CHARS])
    line = re.sub(" +", " ", visible.translate({ord("["): "(", ord("]"): ")"})).strip()
    return line if len(line) <= MAX_NAME_CHARS else line[: MAX_NAME_CHARS - 1] + "…"


def _page_words(segment: Segment) -> str:
    if segment.page_number is None:
        return ""
    label = clean_name(segment.page_label) if segment.page_label else ""
    number = f"page {segment.page_number}"
    return number if label in ("", str(segment.page_number)) else f"{number}, labelled {label}"


def _cue_words(segment: Segment) -> str:
    name = clean_name(segment.speaker) if segment.speaker else ""
    if segment.start_ms is None:
        return name
    time = _clock(segment.start_ms)
    return f"{time} {name}" if name else time


def _clock(ms: int) -> str:
    """Hours, minutes and whole seconds: 843_900 is 00:14:03."""
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
