"""One item of a JSON transcript: its words, who said them, and when, under the names that different makers use.

In: the decoded items of a list. Out: Items with times in milliseconds, or a malformed Cue with the item's JSON. Known
makers: Whisper, whisper.cpp, WhisperX, Hugging Face pipelines, AssemblyAI, Amazon Transcribe, Rev, YouTube, QMSum, the
Congressional Record, Telegram.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.readers.cues import Cue

_WORD_KEYS = ("text", "content", "utterance", "transcript", "sentence", "message", "caption", "value", "body")
_PART_KEYS = ("segs", "elements", "words", "alternatives")
_PIECE_KEYS = ("text", "utf8", "value", "punctuated_word", "word", "content", "transcript")
_SPEAKER_KEYS = ("speaker", "speaker_name", "speaker_label", "from", "name", "author", "sender", "user", "role")
_SPEAKER_ID_KEYS = ("speaker_id", "from_id", "sender_id", "user_id")
_NAME_KEYS = ("name", "display_name", "label", "username", "id", "@id")
_START_KEYS = ("start", "start_time", "startTime", "begin", "ts", "time", "timestamp", "offset", "date", "created_at")
_END_KEYS = ("end", "end_time", "endTime", "stop", "end_ts")
_START_MS_KEYS = ("start_ms", "startMs", "tStartMs", "offset_ms", "offsetMs")
_END_MS_KEYS = ("end_ms", "endMs")
_CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,6}))?$")
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,20})?$")
_NOBODY = frozenset({"", "none", "unknown", "null"})
_MAX_MS = 2**53
_SECONDS_PER_WORD = 20


@dataclass(frozen=True, slots=True)
class Item:
    """What an item says.

    Attributes:
        words: Stripped; "" when it has a place for words and none in it.
        speaker: Name or number as given; None when unknown.
        start_ms: Start in milliseconds (since 1970 for dates); None when unknown.
        end_ms: End, likewise; never before the start.
    """

    words: str
    speaker: str | None
    start_ms: int | None
    end_ms: int | None


def read_items(items: Sequence[object]) -> list[Item | Cue]:
    """Read the items of a list, each in its place: an Item, or a malformed Cue when it cannot be read.

    Numbers are seconds, as with Whisper; if that would give more than 20 s a word over the whole list, they are
    milliseconds, as with AssemblyAI.
    """
    read = [item if isinstance(item, Item | Cue) else _read_item(index, item) for index, item in enumerate(items)]
    timed = [item for item in read if isinstance(item, Item) and item.start_ms is not None and item.end_ms is not None]
    n_words = sum(len(item.words.split()) for item in timed)
    spoken_ms = sum((item.end_ms or 0) - (item.start_ms or 0) for item in timed)
    whole = all(isinstance(item.get("start"), int) for item in items if isinstance(item, dict))
    if timed and whole and spoken_ms > _SECONDS_PER_WORD * 1000 * max(n_words, 1):
        return [_thousandth(item) if isinstance(item, Item) else item for item in read]
    return read


def words_of(item: dict[str, object]) -> str | None:
    """The item's words; "" when their place is empty, None when it has no place for words."""
    for key in _WORD_KEYS:
        if isinstance(value := item.get(key), str):
            return value.strip()
        if isinstance(value, list):
            return "".join(_piece(part) for part in value).strip()
    for key in _PART_KEYS:
        if isinstance(value := item.get(key), list):
            parts = value[:1] if key == "alternatives" else value
            return (" " if key == "words" else "").join(_piece(part) for part in parts).strip()
    return word.strip() if isinstance(word := item.get("word"), str) else None


def speaker_of(item: dict[str, object]) -> str | None:
    """Who speaks: the item's own word for it, else the speaker of most of its words; None when unknown."""
    for key in (*_SPEAKER_KEYS, *_SPEAKER_ID_KEYS):
        value = item.get(key)
        if isinstance(value, dict):
            value = next((value[name] for name in _NAME_KEYS if name in value), None)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip().lower() not in _NOBODY:
            return str(value).strip()
    words = item.get("words")
    if isinstance(words, list):
        named = Counter(
            word["speaker"] for word in words if isinstance(word, dict) and isinstance(word.get("speaker"), str)
        )
        return named.most_common(1)[0][0] if named else None
    return None


def times_of(item: dict[str, object]) -> tuple[int | None, int | None]:
    """Start and end in milliseconds; None for what is not given.

    Raises:
        ValueError: A time is there and is none, or the end comes before the start; the message says which.
    """
    start_ms, end_ms = _first_time(item, _START_MS_KEYS, 1), _first_time(item, _END_MS_KEYS, 1)
    offsets, pair = item.get("offsets"), item.get("timestamp")
    if isinstance(offsets, dict):
        start_ms, end_ms = _first_time(offsets, ("from",), 1), _first_time(offsets, ("to",), 1)
    elif isinstance(pair, list) and len(pair) == 2:
        start_ms, end_ms = (None if value is None else _parse_time("timestamp", value, 1000) for value in pair)
    start_ms = _first_time(item, _START_KEYS, 1000) if start_ms is None else start_ms
    end_ms = _first_time(item, _END_KEYS, 1000) if end_ms is None else end_ms
    if start_ms is not None and end_ms is None:
        length_ms = _first_time(item, ("dDurationMs",), 1)
        length_ms = _first_time(item, ("duration",), 1000) if length_ms is None else length_ms
        end_ms = None if length_ms is None else start_ms + length_ms
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise ValueError(f"it ends ({end_ms} ms) before it starts ({start_ms} ms)")
    return start_ms, end_ms


def _read_item(index: int, item: object) -> Item | Cue:
    if not isinstance(item, dict):
        return _malformed(index, item, f"it is a {type(item).__name__}, not an object")
    words = words_of(item)
    if words is None:
        return _malformed(index, item, f"it has no text; its keys are {', '.join(map(str, list(item)[:8])) or 'none'}")
    try:
        start_ms, end_ms = times_of(item)
    except ValueError as error:
        return _malformed(index, item, str(error))
    return Item(words=words, speaker=speaker_of(item), start_ms=start_ms, end_ms=end_ms)


def _malformed(index: int, item: object, problem: str) -> Cue:
    return Cue(text=json.dumps(item, ensure_ascii=False), problem=f"Item {index + 1}: {problem}.")


def _piece(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        return next((value for key in _PIECE_KEYS if isinstance(value := part.get(key), str)), "")
    return ""


def _first_time(item: dict[str, object], keys: tuple[str, ...], unit_ms: int) -> int | None:
    for key in keys:
        value = item.get(key)
        if value is not None and not isinstance(value, list | dict):
            return _parse_time(key, value, unit_ms)
    return None


def _parse_time(key: str, value: object, unit_ms: int) -> int:
    """Milliseconds of a number (of `unit_ms`), a clock reading or an ISO 8601 date."""
    problem = f"its {key} {str(value)[:40]!r} is not a time"
    if isinstance(value, str):
        if match := _CLOCK.match(value.strip()):
            seconds = (int(match[1] or 0) * 60 + int(match[2])) * 60 + int(match[3])
            return seconds * 1000 + int((match[4] or "0").ljust(6, "0")) // 1000
        if not _NUMBER.match(value.strip()):
            return _parse_date(value, problem)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(problem)
    if not math.isfinite(value) or not 0 <= value * unit_ms <= _MAX_MS:
        raise ValueError(problem)
    return round(value * unit_ms)


def _parse_date(value: str, problem: str) -> int:
    try:
        date = datetime.fromisoformat(value.strip())
        return round((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(problem) from None


def _thousandth(item: Item) -> Item:
    start_ms, end_ms = item.start_ms, item.end_ms
    return replace(
        item,
        start_ms=None if start_ms is None else start_ms // 1000,
        end_ms=None if end_ms is None else end_ms // 1000,
    )
