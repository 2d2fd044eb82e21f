"""What the engine has at the moment, and how many tokens of its memory that takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.flow.open_document import Asked


@dataclass(slots=True)
class Flight:
    """Attempts that were submitted and did not come back.

    Attributes:
        n_tokens: Of their prompts. A chunk that several of them share is counted once, as in the engine's cache.
    """

    n_tokens: int = 0
    _attempts: dict[str, tuple[Asked, str]] = field(default_factory=dict)
    _sharing: Counter[tuple[int, int, str]] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self._attempts)

    def add(self, asked: Asked, key: str) -> None:
        """An attempt is submitted, under the key of its answer."""
        self._attempts[asked.prompt.prompt_id] = (asked, key)
        chunk = _chunk(asked)
        self.n_tokens += _own_tokens(asked) + (0 if self._sharing[chunk] else len(asked.chunk.token_ids))
        self._sharing[chunk] += 1

    def pop(self, prompt_id: str) -> tuple[Asked, str] | None:
        """An attempt came back: it and the key of its answer; None when it was not there."""
        found = self._attempts.pop(prompt_id, None)
        if found is not None:
            asked, _ = found
            chunk = _chunk(asked)
            self._sharing[chunk] -= 1
            self.n_tokens -= _own_tokens(asked) + (0 if self._sharing[chunk] else len(asked.chunk.token_ids))
            if not self._sharing[chunk]:
                del self._sharing[chunk]
        return found


def _chunk(asked: Asked) -> tuple[int, int, str]:
    return asked.document.ready.taken.ordinal, asked.chunk.index, asked.chunk.part


def _own_tokens(asked: Asked) -> int:
    """Tokens of a prompt besides its chunk's."""
    return len(asked.prompt.token_ids) - len(asked.chunk.token_ids)
