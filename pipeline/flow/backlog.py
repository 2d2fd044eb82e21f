"""What waits for the engine: chunks of documents that are read, and in which order their questions are asked.

As documents come, so that the first are whole early; the tasks of a chunk next to each other, so that the engine
computes their shared part once. When the last document is in, the chunks that are left for the end go by size, the
longest first: else one long prompt, begun last, would have the engine to itself while nothing runs beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from pipeline.flow.open_document import Asked, OpenDocument
from pipeline.prompts.prompt import Chunk, Prompt

MOST_TOKENS = 4_000_000
"""Tokens that wait at most before no more documents are taken in: some 40 MB with their texts."""
MOST_DOCUMENTS = 1000
"""Documents that wait at most; more where the engine runs more prompts at once."""


class Backlog:
    """Chunks of open documents whose questions were not all asked yet.

    Attributes:
        n_tokens: Of the chunks of which no question was asked yet, each counted once.
    """

    def __init__(self, prompts: Callable[[Chunk], Iterator[Prompt]], n_tasks: int) -> None:
        """Nothing waits; `prompts` makes those of a chunk, n_tasks of them, when its turn comes."""
        self.n_tokens = 0
        self._prompts, self._n_tasks = prompts, n_tasks
        self._chunks: deque[tuple[OpenDocument, Chunk]] = deque()
        self._begun: Iterator[Asked] = iter(())
        self._next: Asked | None = None
        self._is_sorted = False

    @property
    def is_empty(self) -> bool:
        """Whether no question waits."""
        return self._peek() is None

    def is_full(self, window: int) -> bool:
        """Whether to take in no more, for an engine that has `window` prompts in flight."""
        return self.n_tokens >= MOST_TOKENS or len(self._chunks) >= max(MOST_DOCUMENTS, 2 * window)

    def add(self, document: OpenDocument) -> None:
        """All questions about a document's chunks wait now."""
        self._chunks.extend((document, chunk) for chunk in document.ready.chunks)
        self.n_tokens += sum(len(chunk.token_ids) for chunk in document.ready.chunks)
        self._is_sorted = False

    def take(self) -> Asked | None:
        """The next question; None when none waits."""
        asked, self._next = self._peek(), None
        return asked

    def end_well(self, n_prompts: int) -> None:
        """No document will come any more: once about `n_prompts` are left, those go by size, the longest first."""
        if not self._is_sorted and len(self._chunks) * self._n_tasks <= n_prompts:
            self._chunks = deque(sorted(self._chunks, key=lambda item: -len(item[1].token_ids)))
            self._is_sorted = True

    def _peek(self) -> Asked | None:
        if self._next is None:
            self._next = next(self._begun, None)
        if self._next is None and self._chunks:
            document, chunk = self._chunks.popleft()
            self.n_tokens -= len(chunk.token_ids)
            self._begun = (Asked(prompt, chunk, document) for prompt in self._prompts(chunk))
            self._next = next(self._begun)
        return self._next
