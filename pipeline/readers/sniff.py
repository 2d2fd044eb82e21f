"""What a file is by its first bytes, whatever its name says. Knows the common kinds, decides nothing."""

from __future__ import annotations

import re
from pathlib import Path

HEAD_BYTES = 1024
"""How far from the start a PDF's header may stand (ISO 32000-1, annex H.3.4.1)."""
_TAIL_BYTES = 2048

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or Office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"%!PS", "a PostScript file"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM recording"),
)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_UNICODE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def read_ends(path: Path) -> tuple[bytes, bytes]:
    """The first HEAD_BYTES and the last 2,048 bytes of a file. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size_bytes = file.seek(0, 2)
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        return head, file.read(_TAIL_BYTES)


def is_pdf(head: bytes, tail: bytes = b"") -> bool:
    """True with a PDF header near the start, or, where the start is damaged, a PDF's end in `tail`."""
    return b"%PDF-" in head or b"startxref" in tail


def name_content(head: bytes) -> str | None:
    """What the bytes are, in words for a person; None for what looks like text."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return "an MP4 recording"
    if head[:4] == b"RIFF":
        return "a WAV, AVI or WebP file"
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "an HTML page"
    return "binary data of an unknown kind" if _is_binary(head) else None


def _is_binary(head: bytes) -> bool:
    """True for bytes no text file has: zeros that are not those of UTF-16 or UTF-32, or many control bytes."""
    if head.startswith(_UNICODE_MARKS):
        return False
    n_zeros = head.count(0)
    if n_zeros and head[::2].count(0) not in (0, n_zeros):
        return True
    n_controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\x00" for byte in head)
    return n_controls * 10 > len(head)
