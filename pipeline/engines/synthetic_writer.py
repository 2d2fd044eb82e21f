"""One schema's answers: a task in, a finish reason and text out, whole, cut or spoiled as the task says."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from pipeline.engines.engine import FinishReason
from pipeline.engines.synthetic_answers import build_answers
from pipeline.engines.synthetic_orders import Fate, Task
from pipeline.engines.synthetic_text import CannotAnswerError, Draw, pick

_BYTES_PER_TOKEN = 4


class Writer:
    """Writes the answers of one schema."""

    def __init__(self, decoder_schema: str) -> None:
        self._decoder_schema = decoder_schema
        self._usual: Draw | None = None
        self._brief: Draw | None = None

    def answer(self, task: Task) -> tuple[FinishReason, str, int, str]:
        """Give the finish reason, the text, its tokens and, for a prompt that cannot be answered, why."""
        chance = Random(int(task.key, 16))
        try:
            text = self._text(chance, task.max_tokens)
        except CannotAnswerError as exc:
            return FinishReason.REFUSED, "", 0, str(exc)
        if task.fate is Fate.SPOIL:
            text = self._spoil(text, chance)
        if task.fate is Fate.CUT:
            text = text[: len(text) // 2]
        n_tokens = count_tokens(text)
        if n_tokens > task.max_tokens:
            text = text.encode(errors="surrogatepass")[: task.max_tokens * _BYTES_PER_TOKEN].decode(errors="ignore")
            return FinishReason.LENGTH, text, task.max_tokens, ""
        return FinishReason.LENGTH if task.fate is Fate.CUT else FinishReason.STOP, text, n_tokens, ""

    def _text(self, chance: Random, max_tokens: int) -> str:
        """A usual answer, or the shortest kind where that one would be too long."""
        if self._usual is None:
            self._usual = build_answers(self._decoder_schema)
        text = self._usual(chance)
        if count_tokens(text) <= max_tokens:
            return text
        if self._brief is None:
            self._brief = build_answers(self._decoder_schema, brief=True)
        return self._brief(chance)

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


def count_tokens(text: str) -> int:
    """What a text would be in tokens, about; at least 1."""
    return max(1, -(-len(text.encode(errors="surrogatepass")) // _BYTES_PER_TOKEN))
