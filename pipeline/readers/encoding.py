"""From bytes to text: which encoding a text file has, and text that every later stage can trust.

In: the bytes of a file. Out: a str whose lines end in a line feed, without control characters, surrogates or byte
order mark, and what was assumed to get there. It does not know what the text is for.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from pipeline.errors import RejectCode
from pipeline.readers.document import UnreadableError

_SAMPLE_BYTES = 1 << 16
_MAX_NUL_SHARE = 0.001
_MAX_CONTROL_SHARE = 0.02
_MAX_ERROR_SHARE = 0.05

# Longest first: the UTF-32 (little endian) mark begins with the UTF-16 one.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# First bytes of files that are not text, whatever their name says.
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive (DOCX, ODT and XLSX are ZIP archives too)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"%PDF-", "a PDF"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"ID3", "an MP3 recording"),
    (b"RIFF", "a WAV or AVI recording"),
    (b"OggS", "an Ogg recording"),
    (b"fLaC", "a FLAC recording"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"\x00\x00\x00\x18ftyp", "an MP4 recording"),
    (b"\x00\x00\x00\x1cftyp", "an MP4 recording"),
    (b"\x00\x00\x00\x20ftyp", "an MP4 recording"),
    (b"PAR1", "a Parquet table"),
    (b"SQLite format 3", "an SQLite database"),
)

# Single-byte and multi-byte encodings of scripts other than Latin that charset-normalizer may choose between.
_NON_LATIN = ("gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874")
_MIN_NON_ASCII_SHARE = 0.3

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\r?\n|\r|\x0b|\x0c")
_CONTROL_BYTES = bytes(set(range(0x20)) - set(b"\t\n\r\x0b\x0c\x1b")) + b"\x7f"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text and how it was found.

    Attributes:
        text: Clean, see `clean_text`.
        notes: (name, value) for the document's metadata: `encoding` (Python's name) always; `encoding_errors`, the
            number of places shown as U+FFFD, and `control_characters_removed` when there were any.
    """

    text: str
    notes: tuple[tuple[str, str], ...]


def decode_text(data: bytes) -> Decoded:
    """Decode a text file whose encoding nobody told.

    Tried in this order: byte order mark; UTF-32 and UTF-16 by where the zero bytes are; UTF-8; UTF-8 with few errors (a
    file cut within a character, or one bad byte in ten good ones); a script other than Latin, when at least 30 % of the
    bytes on the lines concerned are not ASCII and charset-normalizer finds one without mess; cp1252.

    Raises:
        UnreadableError: WRONG_CONTENT for a known binary format, BAD_ENCODING for other bytes that are not text.
    """
    for magic, name in _MAGIC:
        if data.startswith(magic):
            raise UnreadableError(RejectCode.WRONG_CONTENT, f"The content is {name}, not text.")
    encoding, body = _marked(data) or (_by_zeros(data), data)
    if encoding is None:
        _check_text_bytes(data)
        encoding = _utf8_or_legacy(body)
    raw = body.decode(encoding, errors="replace")
    n_errors = raw.count("\ufffd") - (body.count(b"\xef\xbf\xbd") if encoding == "utf-8" else 0)
    if n_errors > _MAX_ERROR_SHARE * len(raw) + 4:
        raise UnreadableError(
            RejectCode.BAD_ENCODING, f"The file looks like {encoding}, but {n_errors} of {len(raw)} characters are not."
        )
    text, n_removed = _clean(raw)
    notes = [("encoding", encoding)]
    if n_errors > 0:
        notes.append(("encoding_errors", str(n_errors)))
    if n_removed:
        notes.append(("control_characters_removed", str(n_removed)))
    return Decoded(text=text, notes=tuple(notes))


def clean_text(text: str) -> str:
    """Line ends and form feeds become a line feed, C0 controls except tab vanish, lone surrogates become U+FFFD."""
    return _clean(text)[0] if _UNCLEAN.search(text) else text


def _clean(text: str) -> tuple[str, int]:
    text = _SURROGATE.sub("\ufffd", _LINE_END.sub("\n", text))
    text, n_removed = _CONTROL.subn("", text)
    return text, n_removed


def _marked(data: bytes) -> tuple[str, bytes] | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, data[len(mark) :]
    return None


def _by_zeros(data: bytes) -> str | None:
    """UTF-32 or UTF-16 without a mark: western text has its zero bytes at the same places of each unit."""
    sample = data[:4096]
    sample = sample[: len(sample) // 4 * 4]
    if not sample:
        return None
    n_units = len(sample) // 4
    zeros = [sample[place::4].count(0) / n_units for place in range(4)]
    if min(zeros[1:]) > 0.5 and zeros[0] < 0.1 and zeros[2] > 0.9:
        return "utf-32-le"
    if min(zeros[:3]) > 0.5 and zeros[3] < 0.1 and zeros[1] > 0.9:
        return "utf-32-be"
    if min(zeros[1], zeros[3]) > 0.3 and max(zeros[0], zeros[2]) < 0.05:
        return "utf-16-le"
    if min(zeros[0], zeros[2]) > 0.3 and max(zeros[1], zeros[3]) < 0.05:
        return "utf-16-be"
    return None


def _check_text_bytes(data: bytes) -> None:
    n_zeros = data.count(0)
    n_controls = len(data) - len(data.translate(None, _CONTROL_BYTES))
    if n_zeros > _MAX_NUL_SHARE * len(data) + 4 or n_controls > _MAX_CONTROL_SHARE * len(data) + 4:
        raise UnreadableError(
            RejectCode.BAD_ENCODING,
            f"The content is not text: of {len(data)} bytes, {n_controls} are control characters ({n_zeros} zeros).",
        )


def _utf8_or_legacy(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_at_the_end = error.start >= len(data) - 3 and error.reason == "unexpected end of data"
        if cut_at_the_end and error.start > 0:
            return "utf-8"
    else:
        return "utf-8"
    n_bad = data.decode("utf-8", errors="replace").count("\ufffd") - data.count(b"\xef\xbf\xbd")
    n_good = len(data.decode("utf-8", errors="ignore")) - len(data.decode("ascii", errors="ignore"))
    return "utf-8" if n_good >= 10 * n_bad else _legacy(data)


def _legacy(data: bytes) -> str:
    """The encoding of a script other than Latin when the evidence is strong, else cp1252."""
    sample = _non_ascii_lines(data)
    dense = sample.translate(None, b" \t\r\n")
    if sum(byte > 0x7F for byte in dense) < _MIN_NON_ASCII_SHARE * len(dense):
        return "cp1252"
    best = from_bytes(sample, cp_isolation=[*_NON_LATIN, "cp1252"]).best()
    return best.encoding if best is not None and best.encoding in _NON_LATIN else "cp1252"


def _non_ascii_lines(data: bytes) -> bytes:
    """Up to 64 KiB of the lines that are not ASCII; whole lines, so that no multi-byte character is cut."""
    lines: list[bytes] = []
    size_bytes = 0
    for line in data[: 64 * _SAMPLE_BYTES].split(b"\n"):
        if not line.isascii():
            lines.append(line)
            size_bytes += len(line)
            if size_bytes >= _SAMPLE_BYTES:
                break
    return b"\n".join(lines)
