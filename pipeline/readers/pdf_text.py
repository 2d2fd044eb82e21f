"""Text as a PDF library gives it, made harmless: valid Unicode, line feeds, no controls. Nothing visible changes."""

from __future__ import annotations

import re

_NEWLINE = re.compile("\r\n|[\r\x85\u2028\u2029]")
_LINE_END = re.compile("[ \t]+\n")
_DROPPED = re.compile("[\x00\ufeff]")
# Controls and noncharacters; lone surrogates are found by the codec. Private use stays: fonts of symbols live there.
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_MAX_LINE_CHARS = 1000


def clean_text(text: str) -> str:
    """Page text without white space at line ends, nor blank lines around it.

    NULs and byte order marks are dropped; other controls, which stand for glyphs that were not decoded, become U+FFFD,
    so that they stay visible. The result can be encoded as UTF-8.
    """
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = _LINE_END.sub("\n", _DROPPED.sub("", _NEWLINE.sub("\n", paired)))
    return _CONTROL.sub("\ufffd", lines).strip(" \t\n")


def clean_line(text: str) -> str:
    """A metadata value or a label: one line, at most 1,000 characters."""
    return " ".join(clean_text(text).split())[:_MAX_LINE_CHARS]
