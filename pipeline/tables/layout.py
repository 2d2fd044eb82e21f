"""What the tables look like: one Arrow schema a table, and how a thing becomes its line.

`documents/`, `responses/` and `rejects/` are the same for every job. `records/<task>/` is the user's schema and, after
its columns, the lineage of the row. Columns that a manifest carries stand last, as `_<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipeline.engines.engine import Generation
from pipeline.errors import JobError, Reject
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, SegmentKind, SegmentStatus
from pipeline.sources import Source

Line = dict[str, object]

_SEGMENT = pa.struct(
    [
        ("kind", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("status", pa.string()),
        ("reader", pa.string()),
        ("page_number", pa.int32()),
        ("page_label", pa.string()),
        ("start_ms", pa.int64()),
        ("end_ms", pa.int64()),
        ("speaker", pa.string()),
        ("detail", pa.string()),
    ]
)

DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("doc_key", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("n_pages", pa.int32()),
        pa.field("n_segments", pa.int32(), nullable=False),
        pa.field("n_segments_without_text", pa.int32(), nullable=False),
        pa.field("n_chars", pa.int64(), nullable=False),
        pa.field("n_tokens", pa.int64(), nullable=False),
        pa.field("n_chunks", pa.int32(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("segments", pa.list_(_SEGMENT), nullable=False),
        pa.field("metadata", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)

RESPONSES = pa.schema(
    [
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("doc_key", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("chunk_index", pa.int32(), nullable=False),
        pa.field("n_chunks", pa.int32(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("n_prompt_tokens", pa.int32(), nullable=False),
        pa.field("n_cached_tokens", pa.int32(), nullable=False),
        pa.field("n_output_tokens", pa.int32(), nullable=False),
        pa.field("max_tokens", pa.int32(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)

REJECTS = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("advice", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("chunk_index", pa.int32()),
        pa.field("task", pa.string()),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)

LINEAGE = (
    pa.field("_doc_id", pa.string(), nullable=False),
    pa.field("_doc_key", pa.string(), nullable=False),
    pa.field("_uri", pa.string(), nullable=False),
    pa.field("_n_chunks", pa.int32(), nullable=False),
    pa.field("_n_chunks_answered", pa.int32(), nullable=False),
    pa.field("_model", pa.string(), nullable=False),
    pa.field("_job_fingerprint", pa.string(), nullable=False),
    pa.field("_run_id", pa.string(), nullable=False),
)


def carried(names: Sequence[str]) -> list[pa.Field]:
    """The columns of a manifest, as they stand in the tables.

    Raises:
        JobError: One of them would stand twice.
    """
    fields = [pa.field(f"_{name}", pa.string()) for name in names]
    taken = [field.name for field in LINEAGE]
    for field in fields:
        if field.name in taken:
            raise JobError(f"The manifest's column {field.name[1:]!r} would stand twice in the tables; rename it.")
        taken.append(field.name)
    return fields


def document_line(source: Source, document: Document, n_tokens: int, n_chunks: int) -> Line:
    """One line of `documents/`, without the run."""
    n_pages = sum(segment.kind is SegmentKind.PAGE for segment in document.segments)
    n_without_text = sum(segment.status is not SegmentStatus.READ for segment in document.segments)
    lost = any(s.status in _LOST for s in document.segments)
    return {
        "doc_id": document.doc_id,
        "doc_key": document.doc_key,
        "uri": document.uri,
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "format": document.format,
        "status": "partial" if lost else "read",
        "n_pages": n_pages or None,
        "n_segments": len(document.segments),
        "n_segments_without_text": n_without_text,
        "n_chars": len(document.text),
        "n_tokens": n_tokens,
        "n_chunks": n_chunks,
        "text": document.text,
        "segments": [{name: getattr(segment, name) for name in _SEGMENT_NAMES} for segment in document.segments],
        "metadata": document.metadata,
        **_carried_values(source),
    }


_SEGMENT_NAMES = [field.name for field in _SEGMENT]
_LOST = {SegmentStatus.IMAGE_ONLY, SegmentStatus.GARBLED, SegmentStatus.FAILED, SegmentStatus.MALFORMED}


def response_line(prompt: Prompt, chunk: Chunk, doc_key: str, key: str, generation: Generation, status: str) -> Line:
    """One line of `responses/`, without the run. `status` is "record", or the code of its reject."""
    return {
        "prompt_id": prompt.prompt_id,
        "key": key,
        "doc_id": prompt.doc_id,
        "doc_key": doc_key,
        "task": prompt.task,
        "chunk_index": prompt.chunk_index,
        "n_chunks": chunk.n_chunks,
        "start": chunk.start,
        "end": chunk.end,
        "status": status,
        "text": generation.text,
        "finish_reason": generation.finish_reason.value,
        "n_prompt_tokens": generation.n_prompt_tokens,
        "n_cached_tokens": generation.n_cached_tokens,
        "n_output_tokens": generation.n_output_tokens,
        "max_tokens": prompt.max_tokens,
        "duration_s": generation.duration_s,
        "error": generation.error,
    }


def reject_line(reject: Reject) -> Line:
    """One line of `rejects/`, without the run."""
    return {
        "stage": reject.code.stage.value,
        "code": reject.code.value,
        "detail": reject.detail,
        "advice": reject.code.advice,
        "uri": reject.uri,
        "doc_id": reject.doc_id,
        "chunk_index": reject.chunk_index,
        "task": reject.task,
    }


def record_line(values: Mapping[str, object], source: Source, lineage: Mapping[str, object]) -> Line:
    """One line of `records/<task>/`: the values, where they came from, and what the manifest carried along."""
    own = {"_doc_id": source.doc_id, "_doc_key": source.doc_key, "_uri": source.uri}
    return {**values, **own, **lineage, **_carried_values(source)}


def _carried_values(source: Source) -> Line:
    return {f"_{name}": value for name, value in source.columns}
