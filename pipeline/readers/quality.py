"""Is the text of a page what a person sees on it? Pure counting, no dictionaries, any language.

A PDF draws glyphs; which characters they stand for is an afterthought of its writer and often wrong. What can be told
without knowing the language: characters that no text contains, and two readers that contradict each other. What
cannot: a font whose letters are consistently exchanged for others gives clean characters and no sense.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

GARBLED_SHARE = 0.3
"""From this share of undecoded characters a page is garbled. Of 1,600 real pages none that reads
well has more than 0.065."""
MOJIBAKE_SHARE = 0.4
"""From this share of U+00A0..00FF a page is bytes of another encoding shown as Latin-1: GBK shown so has 1.0, no
real page that reads well more than 0.062."""
MOJIBAKE_MIN_CHARS = 20
"""Below so many visible characters a high share means nothing: "© 2020 é"."""
DOUBLED_SHARE = 0.95
"""Two of everything: this share of the characters must be explained by drawing the other reader's text twice."""

# Controls, lone surrogates, private use, the replacement character and noncharacters.
_UNDECODED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\U000f0000-\U0010ffff]"
)
# What readers write for a glyph whose character they do not know: its number or its name.
_GLYPH_NAMES = re.compile(r"\(cid:\d+\)|(?:/[A-Za-z]{1,6}\d{1,5}){3,}")
_LATIN1 = re.compile("[\xa1-\xff]")
_PRESENTATION = re.compile("[\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefe]")
_SPACE = re.compile(r"\s+")
_WITHOUT_BREAKS = {ord(character): " " for character in "\t\n\r"}


def count_undecoded(text: str) -> int:
    """How many characters stand for a glyph the reader could not decode (all of them in mojibake)."""
    n_undecoded = sum(len(name[0]) for name in _GLYPH_NAMES.finditer(text)) if _may_name_glyphs(text) else 0
    if _has_only_plain(text):
        return n_undecoded
    n_undecoded += len(_UNDECODED.findall(text))
    n_latin1 = len(_LATIN1.findall(text))
    if n_latin1 and (n_visible := count_visible(text)) >= MOJIBAKE_MIN_CHARS and n_latin1 >= MOJIBAKE_SHARE * n_visible:
        n_undecoded += n_latin1
    return n_undecoded


def _may_name_glyphs(text: str) -> bool:
    """A quick no for most texts; the pattern itself takes twenty times as long."""
    return "/" in text or "(cid:" in text


def _has_only_plain(text: str) -> bool:
    """True for ASCII without controls, a quick way to know that every character was decoded."""
    return text.isascii() and text.translate(_WITHOUT_BREAKS).isprintable()


def count_visible(text: str) -> int:
    """Characters that are not white space."""
    return len("".join(text.split()))


def is_garbled(text: str) -> bool:
    """True when so much of the text is undecoded that the page cannot be used. Never true of blank text."""
    n_visible = count_visible(text)
    return n_visible > 0 and count_undecoded(text) >= GARBLED_SHARE * n_visible


def count_presentation_forms(text: str) -> int:
    """Arabic letters given by their drawn shape (U+FB50..FDFF, U+FE70..FEFE): text in the order of drawing."""
    return len(_PRESENTATION.findall(text))


def agreement(one: str, other: str) -> float:
    """Which share of the visible characters two readings have in common, whatever their order: 0 to 1."""
    counts, others = Counter(_SPACE.sub("", one)), Counter(_SPACE.sub("", other))
    n_most = max(counts.total(), others.total())
    return (counts & others).total() / n_most if n_most else 1.0


def is_doubled(text: str, other: str) -> bool:
    """True when `text` has everything of `other` twice: bold that was imitated by drawing each line two times."""
    counts, others = Counter(_SPACE.sub("", text)), Counter(_SPACE.sub("", other))
    twice = others + others
    n_most = max(counts.total(), twice.total())
    return others.total() > 0 and (counts & twice).total() >= DOUBLED_SHARE * n_most


def count_split_words(text: str, other: str) -> int:
    """How many words of `other` stand in `text` in two pieces, such as "judg ment".

    Only pieces that meet in lower-case letters count, and only when one of them is no word of `other` by itself:
    elsewhere a missing space ("see,rather") is as likely as one too many.
    """
    words, others = text.split(), set(other.split())
    known = set(words)
    return sum(
        left[-1].islower() and right[0].islower() and not {left, right} <= others
        for left, right in pairwise(words)
        if left + right in others and left + right not in known
    )
