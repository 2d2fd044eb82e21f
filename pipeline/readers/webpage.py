"""The words of an HTML page, such as a page of the Congressional Record.

In: clean text with markup. Out: the text without it, and the title. Enough for pages whose body is text; it knows no
layout, and what a script would write is not there.
"""

from __future__ import annotations

import html
import re

_MARKUP = re.compile(r"<(?P<close>/)?(?P<name>[A-Za-z][A-Za-z0-9]{0,15})(?:[\s/][^<>]*)?>|<![^<>]*>|<\?[^<>]*>")
_UNSEEN = frozenset({"script", "style", "head", "title", "noscript", "template"})
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "tr", "td", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article"}
    | {"blockquote", "dd", "dt", "dl", "hr", "header", "footer", "body"}
)
_COMMENT_ENDS = re.compile(r"<!--|-->")


def read_webpage(markup: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text of a page and its metadata (title).

    Block elements begin a new line; the page's own line ends stay. One pass, no backtracking: linear in the size of
    the page, whatever is in it.
    """
    parts: list[str] = []
    title: list[str] = []
    inside: str | None = None
    position = 0
    text = _without_comments(markup)
    for tag in _MARKUP.finditer(text):
        words, position = text[position : tag.start()], tag.end()
        name = (tag["name"] or "").lower()
        if inside is None:
            parts.append(words)
        elif inside == "title":
            title.append(words)
        if name in _UNSEEN and name != "head":
            inside = None if tag["close"] else name
        elif name in _BLOCKS and inside is None:
            parts.append("\n\n" if name == "p" else "\n")
    if inside is None:
        parts.append(text[position:])
    found = html.unescape("".join(title)).strip()
    return html.unescape("".join(parts)), (("title", found),) if found else ()


def _without_comments(markup: str) -> str:
    kept: list[str] = []
    position, depth = 0, False
    for mark in _COMMENT_ENDS.finditer(markup):
        if not depth and mark[0] == "<!--":
            kept.append(markup[position : mark.start()])
            depth = True
        elif depth and mark[0] == "-->":
            position, depth = mark.end(), False
    return "".join(kept) + ("" if depth else markup[position:])
