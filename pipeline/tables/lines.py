"""How a thing becomes its line in a table, without the columns that are constant in a run, and how it is read back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, cast

from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import Reject
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.sources import Source
from pipeline.tables.layout import SEGMENT, Line


class Outcome(StrEnum):
    """What became of a source in the run that settled it."""

    DOCUMENT = "document"
    REJECTED = "rejected"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class SettledSource:
    """One source that a run settled: one line of `sources/`.

    Attributes:
        doc_id: The document, as in the other tables.
        occurrence: 0 for the first entry with this doc_id, then 1, 2, ...: duplicates.
        doc_key: Identity of the content; None when no bytes could be hashed.
        uri: Where it lies, or lay.
        entry_hash: Hash of what the job's input says of it: uri and carried columns.
        why: Why this run took it up: "new", "changed", "stale", "retried", "removed", ...
        outcome: What became of it.
        code: The reject code of a rejected source; None otherwise.
        n_chunks: Chunks of the document; 0 when there is none.
        n_prompts: Questions asked about it, each counted once however often it was tried.
        n_rejected_answers: How many of those gave no record.
        n_cited: Values of its records that a quote was asked for.
        n_verified: How many of those are verified.
    """

    doc_id: str
    occurrence: int
    doc_key: str | None
    uri: str
    entry_hash: str
    why: str
    outcome: Outcome
    code: str | None = None
    n_chunks: int = 0
    n_prompts: int = 0
    n_rejected_answers: int = 0
    n_cited: int = 0
    n_verified: int = 0


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """A generation that may be used again under its key.

    Attributes:
        key: From `engines.settings.prompt_key`, 64 hex digits.
        generation: What came back.
        answered_run_id: The run that paid for it.
    """

    key: str
    generation: Generation
    answered_run_id: str


def source_line(settled: SettledSource) -> Line:
    """One line of `sources/`, without the job's fingerprint, the engine and the run."""
    return {name: getattr(settled, name) for name in _SETTLED_NAMES}


def document_line(
    source: Source, document: Document, n_tokens: int, n_chunks: int, reading: str, cited: Collection[int] | None
) -> Line:
    """One line of `documents/`, without the engine and the run.

    Args:
        source: Where the document comes from.
        document: The document.
        n_tokens: Its tokens.
        n_chunks: Its chunks.
        reading: The version of the readers.
        cited: Indices of the segments that a found quote stands in; None: quotes were not asked for.
    """
    n_pages = sum(segment.kind is SegmentKind.PAGE for segment in document.segments)
    n_without_text = sum(segment.status is not SegmentStatus.READ for segment in document.segments)
    lost = any(s.status in _LOST for s in document.segments)
    return {
        **read_document_line(document, reading),
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "status": "partial" if lost else "read",
        "n_pages": n_pages or None,
        "n_segments": len(document.segments),
        "n_segments_without_text": n_without_text,
        "n_chars": len(document.text),
        "n_tokens": n_tokens,
        "n_chunks": n_chunks,
        "segments_cited": None if cited is None else sorted(cited),
        **_carried_values(source),
    }


def read_document_line(document: Document, reading: str) -> Line:
    """One line of the journal's documents: what `document_of` needs."""
    return {
        "doc_id": document.doc_id,
        "doc_key": document.doc_key,
        "uri": document.uri,
        "format": document.format,
        "text": document.text,
        "segments": [dict(zip(_SEGMENT_NAMES, _cells(segment), strict=True)) for segment in document.segments],
        "metadata": document.metadata,
        "reading": reading,
    }


_SEGMENT_NAMES = [field.name for field in SEGMENT]
_cells = attrgetter(*_SEGMENT_NAMES)
_SETTLED_NAMES = [field.name for field in fields(SettledSource)]
_LOST = {SegmentStatus.IMAGE_ONLY, SegmentStatus.GARBLED, SegmentStatus.FAILED, SegmentStatus.MALFORMED}


def response_line(
    prompt: Prompt, chunk: Chunk, document: Document, answer: PaidAnswer, status: str, n_items: int | None = None
) -> Line:
    """One line of `responses/`, without the engine and the run.

    Args:
        prompt: The attempt.
        chunk: What it was about. An index below 0 says that it is of no chunk, such as a reduction: null in the table.
        document: Whose chunk it is.
        answer: What came back.
        status: "record", "split", or the code of its reject.
        n_items: Items of the answer's top-level lists, from `count_items`; None when it is not valid, or has none.
    """
    first_page, last_page = page_span(document, chunk)
    return {
        "prompt_id": prompt.prompt_id,
        "doc_id": prompt.doc_id,
        "doc_key": document.doc_key,
        "task": prompt.task,
        "chunk_index": chunk.index if chunk.index >= 0 else None,
        "part": prompt.part,
        "attempt": prompt.attempt,
        "n_chunks": chunk.n_chunks,
        "start": chunk.start,
        "end": chunk.end,
        "first_page": first_page,
        "last_page": last_page,
        "status": status,
        "n_items": n_items,
        "max_tokens": prompt.max_tokens,
        **answer_line(answer),
    }


def page_span(document: Document, chunk: Chunk) -> tuple[int, int] | tuple[None, None]:
    """Numbers of the first and the last page that a chunk shows, from 1; of no page when there are none."""
    segments = document.segments[chunk.first_segment : chunk.last_segment + 1]
    pages = [segment.page_number for segment in segments if segment.page_number is not None]
    return (min(pages), max(pages)) if pages else (None, None)


def answer_line(answer: PaidAnswer) -> Line:
    """One line of the journal's answers: what `answer_of` needs."""
    generation = answer.generation
    return {
        "key": answer.key,
        "text": generation.text,
        "finish_reason": generation.finish_reason.value,
        "n_prompt_tokens": generation.n_prompt_tokens,
        "n_cached_tokens": generation.n_cached_tokens,
        "n_output_tokens": generation.n_output_tokens,
        "duration_s": generation.duration_s,
        "error": generation.error,
        "answered_run_id": answer.answered_run_id,
    }


def reject_line(reject: Reject, doc_key: str | None) -> Line:
    """One line of `rejects/`, without the engine and the run. `doc_key`: None when no bytes could be hashed."""
    return {
        "stage": reject.code.stage.value,
        "code": reject.code.value,
        "detail": reject.detail,
        "advice": reject.code.advice,
        "uri": reject.uri,
        "doc_id": reject.doc_id,
        "doc_key": doc_key,
        "chunk_index": reject.chunk_index,
        "part": reject.part,
        "task": reject.task,
    }


def record_line(values: Mapping[str, object], source: Source, lineage: Mapping[str, object]) -> Line:
    """One line of `records/<task>/`: under "values" the row; where it came from, and what the manifest carried."""
    own = {"_doc_id": source.doc_id, "_doc_key": source.doc_key, "_uri": source.uri}
    return {"values": dict(values), **own, **lineage, **_carried_values(source)}


def document_of(line: Line) -> Document:
    """The document that a line of `documents/` or of the journal was written from.

    Raises:
        ValueError: The line was damaged: its segments do not tile its text.
    """
    segments = cast("list[dict[str, Any]]", line["segments"])
    return Document(
        doc_id=str(line["doc_id"]),
        doc_key=str(line["doc_key"]),
        uri=str(line["uri"]),
        format=str(line["format"]),
        text=str(line["text"]),
        segments=tuple(_segment(values) for values in segments),
        metadata=tuple(cast("list[tuple[str, str]]", line["metadata"])),
    )


def _segment(values: dict[str, Any]) -> Segment:
    known = {"kind": SegmentKind(values["kind"]), "status": SegmentStatus(values["status"])}
    return Segment(**{**values, **known})


def answer_of(line: Line, prompt_id: str) -> PaidAnswer:
    """The answer that a line of `responses/` or of the journal was written from, now as that of `prompt_id`."""
    return PaidAnswer(str(line["key"]), generation_of(line, prompt_id), str(line["answered_run_id"]))


def generation_of(line: Line, prompt_id: str) -> Generation:
    """The generation alone; see `answer_of`."""
    numbers = {name: cast("int", line[name]) for name in ("n_prompt_tokens", "n_cached_tokens", "n_output_tokens")}
    return Generation(
        prompt_id=prompt_id,
        text=str(line["text"]),
        finish_reason=FinishReason(str(line["finish_reason"])),
        duration_s=cast("float", line["duration_s"]),
        error=str(line["error"]),
        **numbers,
    )


def _carried_values(source: Source) -> Line:
    return {f"_{name}": value for name, value in source.columns}
