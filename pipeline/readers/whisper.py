"""Transcripts in JSON and JSONL: Whisper and its relatives, meeting corpora, speech services, chat exports.

In: clean text that should be JSON. Out: cues in file order. All shapes come down to one: a list of items with words,
and perhaps a speaker and times. `find_items` says where the list is, `jsonitems` what an item says. An item that says
nothing readable becomes a malformed cue with its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.errors import RejectCode
from pipeline.readers.cues import Cue, Transcript
from pipeline.readers.document import SegmentKind, UnreadableError
from pipeline.readers.jsonitems import Item, read_items, words_of
from pipeline.readers.jsonwords import are_words, group_by_paragraphs, group_by_speaker

# Where lists of items are found, the most detailed first.
_LIST_KEYS = (
    "segments",
    "meeting_transcripts",
    "utterances",
    "monologues",
    "transcription",
    "audio_segments",
    "chunks",
    "messages",
    "turns",
    "content",
    "transcript",
    "captions",
    "cues",
    "entries",
    "events",
    "sentences",
    "items",
    "words",
    "transcripts",
    "results",
    "data",
)
_WHOLE_TEXT_KEYS = ("text", "transcript", "content")
_MAX_DEPTH = 3
_PROBE_ITEMS = 100
_MAX_METADATA = 50
_MAX_VALUE_CHARS = 500
_ABSOLUTE_MS = 10**11  # three years: no recording is that long, so it is a date
_EXPECTED = (
    "Expected a list of items with a text (and a speaker, a start, an end), or an object that holds one as segments, "
    "meeting_transcripts, utterances, messages, content, words ..."
)


def read_json(text: str) -> Transcript:
    """Read one JSON value; several values on lines of their own are read as JSONL.

    Raises:
        UnreadableError: MALFORMED_TRANSCRIPT: not JSON (with line and column), nested too deeply, or no transcript.
    """
    try:
        value = _load(text)
    except json.JSONDecodeError as error:
        first = text.lstrip().split("\n", 1)[0]
        if error.msg == "Extra data" and error.lineno > 1 and first.lstrip().startswith("{"):
            return read_jsonl(text)
        raise UnreadableError(
            RejectCode.MALFORMED_TRANSCRIPT,
            f"Not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}.",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    return _read_value(value, "json")


def read_jsonl(text: str) -> Transcript:
    """Read one JSON object a line, each an item; a single line may hold a whole transcript.

    Raises:
        UnreadableError: MALFORMED_TRANSCRIPT, as `read_json`, when no line is an item.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) == 1:
        return _read_value(_load_line(*lines[0]), "jsonl")
    items = [_load_line(number, line) for number, line in lines]
    if not any(_has_words(item) for item in items if not isinstance(item, Cue)):
        raise UnreadableError(RejectCode.MALFORMED_TRANSCRIPT, f"No line is an item with words. {_EXPECTED}")
    return Transcript(format="jsonl", cues=_read_cues(items)[0])


def _load(text: str) -> object:
    """As json.loads; numbers of more digits than Python converts become infinite, and no time then."""
    value: object = json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 100 else float(digits))
    return value


def _load_line(number: int, line: str) -> object:
    """The line's value, or a malformed cue."""
    try:
        return _load(line)
    except json.JSONDecodeError as error:
        return Cue(text=line, problem=f"Line {number}: not valid JSON at column {error.colno}: {error.msg}.")
    except RecursionError:
        return Cue(text=line, problem=f"Line {number}: JSON nested too deeply.")


def _too_deep() -> UnreadableError:
    return UnreadableError(RejectCode.MALFORMED_TRANSCRIPT, "The JSON is nested too deeply to be a transcript.")


def _read_value(value: object, name: str) -> Transcript:
    try:
        items = value if isinstance(value, Cue) else find_items(value)
        if items is None:
            raise UnreadableError(RejectCode.MALFORMED_TRANSCRIPT, f"{_describe(value)} {_EXPECTED}")
        cues, notes = _read_cues([items] if isinstance(items, Cue) else items)
    except RecursionError as error:
        raise _too_deep() from error
    metadata = _metadata(value) if isinstance(value, dict) else []
    return Transcript(format=name, cues=cues, metadata=tuple(metadata + notes))


def find_items(value: object, depth: int = 0) -> Sequence[object] | None:
    """The list of items in a JSON value, at most three objects deep; None when there is none.

    Lists of single words are already grouped into `Item`s: by the paragraphs beside them, else by speaker and pause.
    """
    if isinstance(value, list):
        if are_words(value):
            return group_by_speaker(value)
        return value if any(_has_words(item) for item in value[:_PROBE_ITEMS]) else None
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return None
    words, paragraphs = value.get("words"), value.get("paragraphs")
    if isinstance(words, list) and isinstance(paragraphs, list) and are_words(words):
        return group_by_paragraphs(words, paragraphs)
    for key in _LIST_KEYS:
        if isinstance(child := value.get(key), list | dict) and (items := find_items(child, depth + 1)) is not None:
            return items
    whole = next((value[key] for key in _WHOLE_TEXT_KEYS if isinstance(value.get(key), str)), None)
    return [value] if whole is not None and whole.strip() else None


def _has_words(item: object) -> bool:
    return isinstance(item, dict) and bool(words_of(item))


def _read_cues(items: Sequence[object]) -> tuple[tuple[Cue, ...], list[tuple[str, str]]]:
    """Cues of all items, and notes for the metadata; dates become times since the earliest."""
    read = read_items(items)
    starts = [item.start_ms for item in read if isinstance(item, Item) and item.start_ms is not None]
    zero_ms = min(starts, default=0)
    if zero_ms < _ABSOLUTE_MS:
        return tuple(_cue(item, 0) for item in read), []
    return tuple(_cue(item, zero_ms) for item in read), [("times_count_from_unix_ms", str(zero_ms))]


def _cue(item: Item | Cue, zero_ms: int) -> Cue:
    if isinstance(item, Cue):
        return item
    kind = SegmentKind.PARAGRAPH if item.start_ms is None else SegmentKind.CUE
    return Cue(
        text=item.words,
        kind=SegmentKind.TURN if item.speaker else kind,
        start_ms=None if item.start_ms is None else item.start_ms - zero_ms,
        end_ms=None if item.end_ms is None else item.end_ms - zero_ms,
        speaker=item.speaker,
    )


def _metadata(value: dict[str, object]) -> list[tuple[str, str]]:
    """Plain values of the object, and of the objects in it (as `header.day`), short ones only."""
    found: list[tuple[str, str]] = []
    for name, entry in value.items():
        pairs = (
            [(f"{name}.{inner}", part) for inner, part in entry.items()] if isinstance(entry, dict) else [(name, entry)]
        )
        found += [
            (key, str(part))
            for key, part in pairs
            if isinstance(part, str | int | float) and part != "" and len(str(part)) <= _MAX_VALUE_CHARS
        ]
    return [pair for pair in found if pair[0] not in _WHOLE_TEXT_KEYS][:_MAX_METADATA]


def _describe(value: object) -> str:
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:8]) or "no keys"
        times_only = isinstance(value.get("segmentation"), dict)
        return f"Found a JSON object with {keys}" + (
            ", which tells who speaks when, but no words." if times_only else "."
        )
    if isinstance(value, list):
        return f"Found a JSON list of {len(value)} values, none of them with words."
    return f"Found a JSON {type(value).__name__}."
