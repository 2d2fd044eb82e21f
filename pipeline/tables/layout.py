"""What the tables look like: one Arrow schema a table.

`sources/`, `documents/`, `responses/`, `rejects/`, `conflicts/` and `evidence/` are the same for every job.
`records/<task>/` is the user's schema and, after its columns, the lineage of the row. Columns that a manifest carries
stand last, as `_<name>`. The journal holds what must not be paid for twice: documents that were read and answers
that were generated.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.errors import JobError, SchemaError

Line = dict[str, object]
EXTRA = "_extra"
"""The column of what a row holds and its other columns do not, exactly: see `schema.values`."""
_EXTRA_TEXT = "What the row holds that has no exact place in its columns: a JSON object, values by their pointer"

SEGMENT = pa.struct(
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

SOURCES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("occurrence", pa.int32(), nullable=False),
        pa.field("doc_key", pa.string()),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("entry_hash", pa.string(), nullable=False),
        pa.field("why", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("code", pa.string()),
        pa.field("n_chunks", pa.int32(), nullable=False),
        pa.field("n_prompts", pa.int32(), nullable=False),
        pa.field("n_rejected_answers", pa.int32(), nullable=False),
        pa.field("n_cited", pa.int32(), nullable=False),
        pa.field("n_verified", pa.int32(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
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
        pa.field("segments", pa.list_(SEGMENT), nullable=False),
        pa.field("segments_cited", pa.list_(pa.int32())),
        pa.field("metadata", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("reading", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
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
        pa.field("chunk_index", pa.int32()),
        pa.field("part", pa.string(), nullable=False),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("n_chunks", pa.int32(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("first_page", pa.int32()),
        pa.field("last_page", pa.int32()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("n_items", pa.int32()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("n_prompt_tokens", pa.int32(), nullable=False),
        pa.field("n_cached_tokens", pa.int32(), nullable=False),
        pa.field("n_output_tokens", pa.int32(), nullable=False),
        pa.field("max_tokens", pa.int32(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("answered_run_id", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
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
        pa.field("doc_key", pa.string()),
        pa.field("chunk_index", pa.int32()),
        pa.field("part", pa.string(), nullable=False),
        pa.field("task", pa.string()),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)

CONFLICTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("doc_key", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("pointer", pa.string(), nullable=False),
        pa.field("policy", pa.string(), nullable=False),
        pa.field("kept", pa.string(), nullable=False),
        pa.field("lost", pa.string(), nullable=False),
        pa.field("chunk_index", pa.int32(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("first_page", pa.int32()),
        pa.field("last_page", pa.int32()),
        pa.field("start_ms", pa.int64()),
        pa.field("end_ms", pa.int64()),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)

EVIDENCE = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("doc_key", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("pointer", pa.string(), nullable=False),
        pa.field("is_in_row", pa.bool_(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("quote", pa.string(), nullable=False),
        pa.field("is_verified", pa.bool_(), nullable=False),
        pa.field("grade", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("agreement", pa.string(), nullable=False),
        pa.field("found_text", pa.string()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("n_places", pa.int32(), nullable=False),
        pa.field("first_page", pa.int32()),
        pa.field("last_page", pa.int32()),
        pa.field("page_label", pa.string()),
        pa.field("start_ms", pa.int64()),
        pa.field("end_ms", pa.int64()),
        pa.field("speaker", pa.string()),
        pa.field("chunk_index", pa.int32(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)

LINEAGE = (
    pa.field(EXTRA, pa.string(), metadata={"content": "json", "description": _EXTRA_TEXT}),
    pa.field("_doc_id", pa.string(), nullable=False),
    pa.field("_doc_key", pa.string(), nullable=False),
    pa.field("_uri", pa.string(), nullable=False),
    pa.field("_n_chunks", pa.int32(), nullable=False),
    pa.field("_n_chunks_answered", pa.int32(), nullable=False),
    pa.field("_model", pa.string(), nullable=False),
    pa.field("_engine", pa.string(), nullable=False),
    pa.field("_job_fingerprint", pa.string(), nullable=False),
    pa.field("_run_id", pa.string(), nullable=False),
)

JOURNAL_ANSWERS = pa.schema(
    [
        RESPONSES.field(name)
        for name in (
            "key",
            "text",
            "finish_reason",
            "n_prompt_tokens",
            "n_cached_tokens",
            "n_output_tokens",
            "duration_s",
            "error",
            "answered_run_id",
        )
    ]
)

JOURNAL_DOCUMENTS = pa.schema(
    [
        DOCUMENTS.field(name)
        for name in ("doc_id", "doc_key", "uri", "format", "text", "segments", "metadata", "reading")
    ]
)


def carried(names: Sequence[str]) -> list[pa.Field]:
    """The columns of a manifest, as they stand in the tables.

    Raises:
        JobError: One of them would stand twice; letter case tells no columns apart, since most warehouses fold it.
    """
    fields = [pa.field(f"_{name}", pa.string()) for name in names]
    taken = {field.name.lower() for field in LINEAGE}
    for field in fields:
        if field.name.lower() in taken:
            raise JobError(f"The manifest's column {field.name[1:]!r} would stand twice in the tables; rename it.")
        taken.add(field.name.lower())
    return fields


def check_names(task: str, names: Sequence[str], carried_names: Sequence[str]) -> None:
    """See that no property of a task's schema takes the name of a column that we add to its table.

    Args:
        task: The task.
        names: The properties that become columns.
        carried_names: The manifest's columns; see `carried`.

    Raises:
        SchemaError: One does, to the letter or but for its case.
    """
    ours = {field.name.lower(): field.name for field in (*LINEAGE, *carried(carried_names))}
    for name in names:
        if name.lower() in ours:
            message = (
                f"Task {task!r}: its schema has the property {name!r}, and each table of rows has a column "
                f"{ours[name.lower()]!r} that says where a row came from. Rename the property."
            )
            raise SchemaError(message)
