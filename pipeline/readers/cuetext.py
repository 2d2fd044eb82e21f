"""The words of a caption cue without their markup, and who says them.

In: the payload of one cue. Out: its words by voice. Follows W3C WebVTT, section 6.4 (cue text) and the HTML tags of SRT
files, with one difference: what is not a known tag stays as it is written, so that a missing `>` loses no words.
"""

from __future__ import annotations

import html
import re

# <b>, </c.loud>, <v Name>, <lang en>, <00:01:02.000>, and of SRT <font color=...>; never across another "<".
_TAG = re.compile(
    r"<(?:(?P<close>/)?(?P<name>[A-Za-z]{1,6})(?:\.[^\s<>/]*)?(?P<annotation>[ \t\n][^<>]*)?/?"
    r"|[0-9]{1,5}(?::[0-9]{2}){1,2}[.,][0-9]{3}[ \t]*)>"
)
_NAMES = frozenset({"", "c", "i", "b", "u", "s", "v", "ruby", "rt", "lang", "font", "em", "strong", "br"})
# Character references end in ";" here: without it, "AT&TRADE" would change.
_ESCAPE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def split_voices(payload: str) -> list[tuple[str | None, str]]:
    """The words of a cue, one pair of (speaker, words) for each voice span `<v Name>` and for what stands between them.

    Words are stripped at both ends. A cue without words gives one pair with "", so it keeps its place; its speaker is
    that of its first voice span.

    >>> split_voices("<v Ann>Hi &amp; <i>hello</i></v> [door]")
    [('Ann', 'Hi & hello'), (None, '[door]')]
    """
    if "<" not in payload and "&" not in payload:
        return [(None, payload.strip())]
    voices: list[tuple[str | None, list[str]]] = [(None, [])]
    position = 0
    for tag in _TAG.finditer(payload):
        name = (tag["name"] or "").lower()
        if name not in _NAMES:
            continue
        voices[-1][1].append(payload[position : tag.start()])
        position = tag.end()
        if name == "br":
            voices[-1][1].append("\n")
        elif name == "v":
            speaker = None if tag["close"] else _unescape(tag["annotation"] or "").strip() or None
            if speaker != voices[-1][0]:
                voices.append((speaker, []))
    voices[-1][1].append(payload[position:])
    words = [(speaker, _unescape("".join(parts)).strip()) for speaker, parts in voices]
    return [pair for pair in words if pair[1]] or [next((pair for pair in words if pair[0]), (None, ""))]


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text
