"""Lists of single words with times, as speech services give them, grouped into turns.

In: decoded word items. Out: Items of several words. No word is lost: one that fits no paragraph goes to the one before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.readers.cues import Cue
from pipeline.readers.jsonitems import Item, read_items, speaker_of, times_of, words_of

_PROBE_WORDS = 200
_PAUSE_MS = 2000
_MIN_SHARE = 0.95


def are_words(items: Sequence[object]) -> bool:
    """Whether the items are single words: two or more, and nearly all have times and no space in them."""
    probe = [item for item in items[:_PROBE_WORDS] if isinstance(item, dict) and not _is_punctuation(item)]
    return len(probe) >= 2 and sum(1 for item in probe if _is_timed_word(item)) >= _MIN_SHARE * len(probe)


def group_by_speaker(items: Sequence[object]) -> list[Item | Cue]:
    """Turns: words of one speaker with no pause of two seconds between them. Malformed words keep their place."""
    groups: list[Item | Cue] = []
    for item, word in zip(read_items(items), items, strict=True):
        last = groups[-1] if groups else None
        if isinstance(item, Cue) or not isinstance(last, Item):
            groups.append(item)
        elif _is_punctuation(word):
            groups[-1] = replace(last, words=last.words + item.words)
        elif item.speaker != last.speaker or (item.start_ms or 0) - (last.end_ms or 0) >= _PAUSE_MS:
            groups.append(item)
        else:
            groups[-1] = _append(last, item)
    return groups


def group_by_paragraphs(items: Sequence[object], paragraphs: Sequence[object]) -> list[Item | Cue]:
    """The words of each paragraph, which is an object with a start and perhaps a speaker.

    A word belongs to the last paragraph that starts with it or before it; paragraphs without words vanish, and words
    do not. Without readable paragraphs, as `group_by_speaker`.
    """
    known = sorted(_iter_starts(paragraphs), key=lambda pair: pair[0])
    if not known:
        return group_by_speaker(items)
    starts = [start_ms for start_ms, _ in known]
    groups: list[Item | Cue] = []
    last_place = -1
    for item in read_items(items):
        if isinstance(item, Cue):
            groups.append(item)
            continue
        place = last_place if item.start_ms is None else max(bisect_right(starts, item.start_ms) - 1, 0)
        last = groups[-1] if groups else None
        if place == last_place and isinstance(last, Item):
            groups[-1] = _append(last, item)
        else:
            groups.append(replace(item, speaker=known[place][1] or item.speaker))
        last_place = place
    return groups


def _iter_starts(paragraphs: Sequence[object]) -> Iterator[tuple[int, str | None]]:
    for paragraph in paragraphs:
        if isinstance(paragraph, dict):
            try:
                start_ms, _ = times_of(paragraph)
            except ValueError:
                continue
            if start_ms is not None:
                yield start_ms, speaker_of(paragraph)


def _is_punctuation(item: object) -> bool:
    return isinstance(item, dict) and item.get("type") in ("punctuation", "punct")


def _is_timed_word(item: dict[str, object]) -> bool:
    try:
        start_ms, end_ms = times_of(item)
    except ValueError:
        return False
    return start_ms is not None and end_ms is not None and len((words_of(item) or "").split()) == 1


def _append(group: Item, word: Item) -> Item:
    return replace(group, words=f"{group.words} {word.words}".strip(), end_ms=word.end_ms or group.end_ms)
