"""The door for everything that is not a PDF: captions, transcripts in JSON, speaker-labelled and plain text.

In: a Source. Out: a Document, or UnreadableError with the code and a sentence. The file's name ending says what to
expect; where the content plainly is one of the other formats (captions in a .txt file), the content wins.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.errors import RejectCode
from pipeline.readers.captions import read_sbv, read_srt, read_webvtt, sniff_captions
from pipeline.readers.cues import Transcript, build_document
from pipeline.readers.document import Document, UnreadableError
from pipeline.readers.encoding import decode_text
from pipeline.readers.turns import read_text
from pipeline.readers.webpage import read_webpage
from pipeline.readers.whisper import read_json, read_jsonl
from pipeline.sources import Source

_CAPTIONS: Final = {".vtt": "webvtt", ".srt": "srt", ".sbv": "sbv"}
_JSON: Final = frozenset({".json", ".jsonl", ".ndjson"})
_MARKDOWN: Final = frozenset({".md", ".markdown"})
_TEXT: Final = frozenset({".txt", ".text"})
_HTML: Final = frozenset({".htm", ".html"})
EXTENSIONS: Final[frozenset[str]] = frozenset(_CAPTIONS) | _JSON | _MARKDOWN | _TEXT | _HTML
"""Endings of file names that are read, lower case with the dot."""

_CONVERT: Final = {
    **dict.fromkeys(
        (".ass", ".ssa", ".smi", ".sami", ".sub", ".scc", ".lrc"),
        "Convert the subtitles to WebVTT (for instance: ffmpeg -i in{0} out.vtt).",
    ),
    **dict.fromkeys(
        (".ttml", ".dfxp", ".xml", ".stl"), "Convert the subtitles to WebVTT or SRT with a subtitle editor."
    ),
    **dict.fromkeys((".docx", ".doc", ".odt", ".rtf", ".epub"), "Save the document as PDF, Markdown or plain text."),
    **dict.fromkeys((".csv", ".tsv", ".xlsx", ".xls"), "Save the transcript as JSONL or text."),
    **dict.fromkeys((".zip", ".gz", ".tar", ".7z"), "Unpack it and name the files in it."),
    **dict.fromkeys(
        (".mp3", ".wav", ".m4a", ".mp4", ".mkv", ".webm", ".ogg", ".flac"),
        "Give the recording's transcript (WebVTT, SRT or Whisper's JSON).",
    ),
}


def read_transcript(source: Source) -> Document:
    """Read one transcript or text file.

    Args:
        source: The file. Its name ending, in any case, should be one of EXTENSIONS.

    Returns:
        The document: no marks of ours in its text, one segment for each cue, turn or paragraph.

    Raises:
        UnreadableError: UNSUPPORTED_FORMAT, EMPTY_FILE, WRONG_CONTENT, BAD_ENCODING, MALFORMED_TRANSCRIPT or NO_TEXT.
        OSError: The file cannot be opened.
    """
    suffix = source.path.suffix.lower()
    if suffix not in EXTENSIONS:
        raise UnreadableError(RejectCode.UNSUPPORTED_FORMAT, _explain(suffix))
    data = source.path.read_bytes()
    if not data:
        raise UnreadableError(RejectCode.EMPTY_FILE, "The file has no bytes.")
    decoded = decode_text(data)
    if not decoded.text.strip():
        raise UnreadableError(RejectCode.NO_TEXT, f"The {len(data)} bytes of the file are white space only.")
    transcript = _read(decoded.text, suffix)
    return build_document(source, replace(transcript, metadata=transcript.metadata + decoded.notes))


def _read(text: str, suffix: str) -> Transcript:
    if suffix in _HTML:
        words, metadata = read_webpage(text)
        transcript = read_text(words.strip("\n"), markdown=False)
        return replace(transcript, metadata=metadata + transcript.metadata)
    if suffix in _MARKDOWN:
        return read_text(text, markdown=True)
    if suffix in _JSON:
        return read_json(text) if suffix == ".json" else read_jsonl(text)
    if suffix in _CAPTIONS and text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")):
        raise UnreadableError(RejectCode.WRONG_CONTENT, f"The content is an HTML page, not {suffix} captions.")
    return _read_captions(text, _CAPTIONS.get(suffix))


def _read_captions(text: str, expected: str | None) -> Transcript:
    """Captions as their content says; without a word from it, as expected; None expects text."""
    match sniff_captions(text) or expected:
        case "webvtt":
            return read_webvtt(text)
        case "srt":
            return read_webvtt(text) if expected == "webvtt" else read_srt(text)
        case "sbv":
            return read_sbv(text)
        case _:
            return read_text(text, markdown=False)


def _explain(suffix: str) -> str:
    if not suffix:
        return f"The file's name has no ending; expected one of {', '.join(sorted(EXTENSIONS))}, or .pdf."
    advice = _CONVERT.get(suffix, f"Expected one of {', '.join(sorted(EXTENSIONS))}, or .pdf.")
    return f"Files of type {suffix} are not read. {advice.format(suffix)}"
