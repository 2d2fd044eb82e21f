"""JSON pointers (RFC 6901): how messages name a place in a schema or an answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote


def child(pointer: str, *names: str | int) -> str:
    """Extend a pointer by names or indices."""
    return pointer + "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


def names_of(pointer: str) -> list[str]:
    """The names that a pointer is made of, unescaped; none for the root."""
    return [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]


def printable(text: str) -> str:
    """Give a text in which control characters, and others that move what is beside them, are escapes.

    Names are data: none may break a line of ours or speak to a terminal.
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def follow(root: Any, fragment: str) -> Any:  # noqa: ANN401 - any JSON
    """Give what the pointer of a `$ref` (percent-encoded, "" for the root) leads to; None when it leads nowhere."""
    found = root
    for name in unquote(fragment).split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
