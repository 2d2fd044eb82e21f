"""One schema's answers: a task in, a finish reason and text out, whole, cut or spoiled as the task says."""

from __future__ import annotations

import json
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.engines.engine import FinishReason
from pipeline.engines.synthetic_answers import build_answers
from pipeline.engines.synthetic_orders import Fate, Task
from pipeline.engines.synthetic_text import CannotAnswerError, Draw, pick

if TYPE_CHECKING:
    from pipeline.engines.synthetic_find import Finder
    from pipeline.engines.synthetic_lists import Listing

_BYTES_PER_TOKEN = 4


class Ruler(Protocol):
    """Measures answers."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text; at least 1."""

    def clip(self, text: str, max_tokens: int) -> str:
        """Its first tokens."""


class _Estimate:
    """A Ruler that knows no tokenizer: so many bytes are a token."""

    def count_tokens(self, text: str) -> int:
        return max(1, -(-len(text.encode(errors="surrogatepass")) // _BYTES_PER_TOKEN))

    def clip(self, text: str, max_tokens: int) -> str:
        return text.encode(errors="surrogatepass")[: max_tokens * _BYTES_PER_TOKEN].decode(errors="ignore")


class Writer:
    """Writes the answers of one schema.

    Args:
        decoder_schema: JSON text.
        finder: What looks for the items of its first list; None: they are drawn.
    """

    def __init__(self, decoder_schema: str, finder: Finder | None = None) -> None:
        self._decoder_schema = decoder_schema
        self._finder = finder
        self._ruler: Ruler = finder or _Estimate()
        self._made: dict[tuple[bool, bool], Draw] = {}

    def answer(self, task: Task) -> tuple[FinishReason, str, int, str]:
        """Give the finish reason, the text, its tokens and, for a prompt that cannot be answered, why."""
        chance = Random(int(task.key, 16))
        try:
            text = self._text(chance, task)
        except CannotAnswerError as exc:
            return FinishReason.REFUSED, "", 0, str(exc)
        if task.fate is Fate.SPOIL:
            text = self._spoil(text, chance)
        if task.fate is Fate.CUT:
            text = text[: pick(chance, len(text)) if self._finder else len(text) // 2]
        n_tokens = self._ruler.count_tokens(text)
        if n_tokens > task.max_tokens:
            return FinishReason.LENGTH, self._ruler.clip(text, task.max_tokens), task.max_tokens, ""
        return FinishReason.LENGTH if task.fate is Fate.CUT else FinishReason.STOP, text, n_tokens, ""

    def _text(self, chance: Random, task: Task) -> str:
        """What was found; else a usual answer, or the shortest kind where that one would be too long."""
        is_short = task.fate is Fate.SHORT
        found = self._finder.find(task.token_ids) if self._finder and self._listing else None
        if self._listing and found is not None:
            return self._listing.draw(chance, found, is_short=is_short)
        text = self._draw(chance, brief=False, is_short=is_short)
        if self._ruler.count_tokens(text) <= task.max_tokens:
            return text
        return self._draw(chance, brief=True, is_short=is_short)

    @cached_property
    def _listing(self) -> Listing | None:
        """The answers with a list for what is found; None when nothing is looked for, or no list is for it."""
        if self._finder is None:
            return None
        from pipeline.engines.synthetic_lists import build_listing

        return build_listing(self._decoder_schema, self._finder.names)

    def _draw(self, chance: Random, *, brief: bool, is_short: bool) -> str:
        if (brief, is_short) not in self._made:
            self._made[brief, is_short] = build_answers(self._decoder_schema, brief=brief, is_short=is_short)
        return self._made[brief, is_short](chance)

    def _spoil(self, text: str, chance: Random) -> str:
        """Break an answer in one of the ways in which models break them."""
        schema: dict[str, Any] = json.loads(self._decoder_schema)
        if not (schema.get("properties") and schema.get("additionalProperties") is False):
            return "I could not find this in the document."
        unasked = '"_unasked": true}'
        return (
            text[: len(text) // 2],
            f"Here is the answer you asked for: {text}",
            f"[{text}]",
            text[:-1] + ("" if text == "{}" else ", ") + unasked,
        )[pick(chance, 4)]
