"""Caption files: WebVTT, SubRip (SRT) and YouTube's SBV.

In: clean text. Out: cues in file order, one for each voice of a cue. Sources: W3C WebVTT, sections 6.1 (blocks) and
6.3 (timings); SRT and SBV have no standard, so what players read is read. All three are lists of blocks between blank
lines. A block that no player would show (no timing, a timing that is none, an end before its start) is kept as a
malformed cue with its raw lines; libraries for these formats drop such blocks without a word.

Timings are read more widely than WebVTT allows where the meaning is plain: comma or dot, one digit of hours, or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.errors import RejectCode
from pipeline.readers.cues import Cue, Transcript
from pipeline.readers.cuetext import split_voices
from pipeline.readers.document import UnreadableError
from pipeline.readers.labels import label_cues

_STAMP = r"(?:([0-9]{1,5}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,3}))?(?![0-9:.,])"
_ARROW_TIMING = re.compile(rf"[ \t]*{_STAMP}[ \t]*-->[ \t]*{_STAMP}")
_DOT_STAMP = r"([0-9]{1,5}):([0-9]{1,2}):([0-9]{1,2})\.([0-9]{1,3})"
_COMMA_TIMING = re.compile(rf"[ \t]*{_DOT_STAMP}[ \t]*,[ \t]*{_DOT_STAMP}[ \t]*$")
_LIKE_COMMA_TIMING = re.compile(r"[ \t]*[0-9]+:[0-9]{2}:[^\s,]*,[0-9]+:[0-9]{2}:\S*[ \t]*$")
_LIKE_STAMP = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?[.,][0-9]")
_HEADER_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,40})[ \t]*[:=][ \t]*(\S.*)$")
_MAX_NOTE_CHARS = 2000


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines between blank lines, or from a timing line on.

    Attributes:
        line_number: Of its first line, from 1.
        head: Lines before the timing line: none, a cue's identifier, or everything when there is no timing line.
        timing: The line that should hold two times; None when there is none.
        payload: Lines after it.
    """

    line_number: int
    head: tuple[str, ...]
    timing: str | None
    payload: tuple[str, ...]

    @property
    def raw(self) -> str:
        """All its lines as they are in the file."""
        return "\n".join((*self.head, *((self.timing,) if self.timing is not None else ()), *self.payload))


@dataclass(frozen=True, slots=True)
class _Grammar:
    """How the blocks of a format are told apart.

    Attributes:
        timing: Matches a timing line; eight groups, hours to milliseconds twice.
        example: A timing line, for messages.
        is_timing: A line that is meant as one, on a block's first two lines.
        breaks: A timing line that begins a new cue within the words of another (a blank line is missing).
        numbered: A line of digits before a timing line belongs to it, and no other line does.
        spaces_are_blank: A line of spaces among a cue's words ends it.
    """

    timing: re.Pattern[str]
    example: str
    is_timing: Callable[[str], bool]
    breaks: Callable[[str], bool]
    numbered: bool
    spaces_are_blank: bool


def read_webvtt(text: str) -> Transcript:
    """Read WebVTT.

    The header's text and its `Name: value` lines become metadata, as do NOTE blocks (the first 2,000 characters of
    each); STYLE and REGION blocks before the first cue are left out: they hold no words.

    Raises:
        UnreadableError: WRONG_CONTENT when the file neither begins with WEBVTT nor holds one readable cue.
    """
    lines = text.split("\n")
    metadata, n_header_lines = _read_header(lines)
    cues: list[Cue] = []
    for block in _iter_blocks(lines, n_header_lines, _WEBVTT):
        first = block.head[0] if block.head else ""
        if block.timing is None and re.match(r"NOTE(?:\s|$)", first):
            metadata.append(("note", block.raw[4:].strip()[:_MAX_NOTE_CHARS]))
        elif cues or block.timing is not None or first.strip() not in ("STYLE", "REGION"):
            cues.extend(_read_block(block, _WEBVTT))
    if n_header_lines == 0:
        if all(cue.problem for cue in cues):
            raise UnreadableError(
                RejectCode.WRONG_CONTENT,
                f"The first line is {lines[0][:60]!r}, not WEBVTT, and there is no cue with a readable timing.",
            )
        metadata.append(("webvtt_header", "missing"))
    return Transcript(format="webvtt", cues=tuple(label_cues(cues)), metadata=tuple(metadata))


def read_srt(text: str) -> Transcript:
    """Read SubRip: a number (often absent), two times, words until a blank line or the next timing line."""
    cues = [cue for block in _iter_blocks(text.split("\n"), 0, _SRT) for cue in _read_block(block, _SRT)]
    return Transcript(format="srt", cues=tuple(label_cues(cues)))


def read_sbv(text: str) -> Transcript:
    """Read YouTube's SBV: two times with a comma between them, words until a blank line."""
    cues = [cue for block in _iter_blocks(text.split("\n"), 0, _SBV) for cue in _read_block(block, _SBV)]
    return Transcript(format="sbv", cues=tuple(label_cues(cues)))


def sniff_captions(text: str) -> str | None:
    """Which caption format a text begins like: "webvtt", "srt", "sbv", or None for none of them."""
    lines = [line for line in text[:4096].split("\n") if line.strip()][:2]
    if lines and _is_signature(lines[0]):
        return "webvtt"
    if any(_ARROW_TIMING.match(line) for line in lines):
        return "srt"
    return "sbv" if lines and _COMMA_TIMING.match(lines[0]) else None


def _is_signature(line: str) -> bool:
    return line.startswith("WEBVTT") and line[6:7] in ("", " ", "\t")


def _read_header(lines: list[str]) -> tuple[list[tuple[str, str]], int]:
    """Metadata of the header and where it ends; 0 when the first line with words does not begin with WEBVTT."""
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if not _is_signature(lines[first].lstrip()):
        return [], 0
    title = lines[first].lstrip()[6:].strip().removeprefix("-").strip()
    metadata = [("header", title)] if title else []
    for number, line in enumerate(lines[first + 1 :], start=first + 1):
        if not line or _ARROW_TIMING.match(line):
            return metadata, number
        if field := _HEADER_FIELD.match(line):
            metadata.append((field[1].lower(), field[2].strip()))
    return metadata, len(lines)


def _iter_blocks(lines: list[str], start: int, grammar: _Grammar) -> Iterator[_Block]:
    """Blocks from line index `start` on (W3C WebVTT 6.1, "collect a block", but nothing is dropped)."""
    gathered: list[str] = []
    first = start
    for index in range(start, len(lines)):
        line = lines[index]
        if not line or (line.isspace() and (grammar.spaces_are_blank or not _has_timing(gathered, grammar))):
            if gathered:
                yield _cut_block(first, gathered, grammar)
            gathered, first = [], index + 1
            continue
        if _begins_block(line, gathered, grammar):
            moved = [gathered.pop()] if grammar.numbered and gathered[-1].strip().isdecimal() else []
            if gathered:
                yield _cut_block(first, gathered, grammar)
            gathered, first = moved, index - len(moved)
        gathered.append(line)
    if gathered:
        yield _cut_block(first, gathered, grammar)


def _begins_block(line: str, gathered: list[str], grammar: _Grammar) -> bool:
    """Whether a timing line comes where the words of another block stand."""
    return grammar.breaks(line) and (len(gathered) >= 2 or _has_timing(gathered, grammar))


def _has_timing(lines: list[str], grammar: _Grammar) -> bool:
    return any(grammar.is_timing(line) for line in lines[:2])


def _cut_block(first: int, lines: list[str], grammar: _Grammar) -> _Block:
    for index, line in enumerate(lines[:2]):
        if grammar.is_timing(line):
            return _Block(first + 1, tuple(lines[:index]), line, tuple(lines[index + 1 :]))
    return _Block(first + 1, tuple(lines), None, ())


def _read_block(block: _Block, grammar: _Grammar) -> Iterator[Cue]:
    """The cues of one block: one for each voice, or one malformed."""
    times = _read_timing(block, grammar)
    if isinstance(times, str):
        yield Cue(text=block.raw, problem=f"Line {block.line_number + len(block.head) * bool(block.timing)}: {times}")
        return
    if grammar.numbered and block.head and not block.head[0].strip().isdecimal():
        yield Cue(text=block.head[0], problem=f"Line {block.line_number}: this line has no timing line before it.")
    for speaker, words in split_voices("\n".join(block.payload)):
        yield Cue(text=words, start_ms=times[0], end_ms=times[1], speaker=speaker)


def _read_timing(block: _Block, grammar: _Grammar) -> tuple[int, int] | str:
    """Start and end in milliseconds, or what is wrong."""
    if block.timing is None:
        if any(len(_LIKE_STAMP.findall(line[:200])) >= 2 for line in block.head[:2]):
            return f"two times, but not written as {grammar.example!r}."
        return "these lines have no timing line before them."
    match = grammar.timing.match(block.timing)
    if match is None:
        return f"the timing {block.timing.strip()[:80]!r} is not of the form {grammar.example!r}."
    fields = match.groups()
    if any(int(field or 0) > 59 for field in (*fields[1:3], *fields[5:7])):
        return f"the timing {block.timing.strip()[:80]!r} has more than 59 minutes or seconds."
    start_ms, end_ms = _milliseconds(fields[:4]), _milliseconds(fields[4:])
    if end_ms < start_ms:
        return f"the timing {block.timing.strip()[:80]!r} ends before it starts."
    return start_ms, end_ms


def _milliseconds(fields: tuple[str | None, ...]) -> int:
    hours, minutes, seconds = (int(field or 0) for field in fields[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((fields[3] or "0").ljust(3, "0"))


def _is_arrow(line: str) -> bool:
    return "-->" in line


def _is_arrow_timing(line: str) -> bool:
    return "-->" in line and _ARROW_TIMING.match(line) is not None


def _is_comma_timing(line: str) -> bool:
    return _LIKE_COMMA_TIMING.match(line) is not None


_WEBVTT = _Grammar(
    _ARROW_TIMING, "00:00:01.000 --> 00:00:02.000", _is_arrow, _is_arrow, numbered=False, spaces_are_blank=False
)
_SRT = _Grammar(
    _ARROW_TIMING, "00:00:01,000 --> 00:00:02,000", _is_arrow, _is_arrow_timing, numbered=True, spaces_are_blank=True
)
_SBV = _Grammar(
    _COMMA_TIMING, "0:00:01.000,0:00:02.000", _is_comma_timing, _is_comma_timing, numbered=True, spaces_are_blank=True
)
