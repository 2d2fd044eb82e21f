"""The first half of the flow: from the job's input to documents that are read, cut and ready to ask."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from pipeline.errors import Reject
from pipeline.prompts.prompt import Chunk
from pipeline.prompts.render import PromptMaker
from pipeline.readers.document import Document
from pipeline.readers.pool import ReadLimits, iter_documents
from pipeline.readers.read import read_source
from pipeline.sources import Entry, Source, load_source


@dataclass(frozen=True, slots=True)
class ReadyDocument:
    """A document with its chunks.

    Attributes:
        source: Where it came from.
        document: Its text and segments.
        chunks: In order; each is asked every task.
    """

    source: Source
    document: Document
    chunks: list[Chunk]

    @property
    def n_tokens(self) -> int:
        """Tokens of the document as prompts show it, marks included, overlap counted once."""
        return sum(len(chunk.token_ids) - chunk.n_repeated_tokens for chunk in self.chunks)


def iter_ready(
    entries: Iterable[Entry], limits: ReadLimits, maker: PromptMaker, stopped: Callable[[], bool] = lambda: False
) -> Generator[ReadyDocument | Reject]:
    """Read and cut every entry, in child processes, in the order in which they are done.

    Each entry comes out exactly once: as a document, or as the reject that says why not. `stopped` as in
    `iter_documents`.
    """
    lost: deque[Reject] = deque()
    for source, read in iter_documents(_iter_sources(entries, lost), limits, read_source, stopped):
        while lost:
            yield lost.popleft()
        yield read if isinstance(read, Reject) else ReadyDocument(source, read, maker.cut(read))
    yield from lost


def _iter_sources(entries: Iterable[Entry], lost: deque[Reject]) -> Iterator[Source]:
    """Sources that can be opened; the others go to `lost`."""
    seen_doc_ids: set[str] = set()
    for entry in entries:
        loaded = load_source(entry, seen_doc_ids)
        if isinstance(loaded, Reject):
            lost.append(loaded)
        else:
            yield loaded
