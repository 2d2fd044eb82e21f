"""What the tables and their columns mean, one sentence each: for `pipeline schema`."""

from __future__ import annotations

TABLES = {
    "sources": "One line for each source that a run settled: a document, a reject, or removed",
    "documents": "One line for each document that was read, with its text and where each page or turn stands in it",
    "responses": "One line for each answer of the model, also those that gave no record",
    "rejects": "One line for each item that was lost: why, and what to do about it",
    "conflicts": "One line for each value that lost when the answers of a document's chunks became one row",
    "evidence": "One line for each value that an answer cited a quote for: where the quote stands, if it does",
}
"""The tables that every job has, by their folder."""

RECORDS = "One line for each document: its values, and after them where the row comes from"
"""The table of a task whose schema has no description."""

CARRIED = "From the manifest, as it stands there"
"""A column that the manifest carries."""

COLUMNS = {
    "agreement": "Whether the value is what the quote says: agrees, disagrees, or unchecked",
    "found_text": "The document's words; null where the quote was not found",
    "grade": "How the quote was found: exact, normalized, parts, fuzzy, or missing",
    "is_in_row": "Whether the row has the value; false for what lost a merge or was not let in",
    "is_verified": "Whether the quote was found and does not disagree with the value",
    "n_places": "Places where the quote stands in what the model read",
    "page_label": "The label that the PDF gives the first of its pages",
    "quote": "The quote as the model wrote it",
    "score": "Similarity of quote and found text, 0 to 1",
    "segments_cited": "Which of the segments, from 0, a found quote stands in; null where no task asks for quotes",
    "speaker": "Who says it, where that is known",
    "value": "The value that is cited for (JSON text)",
    "answered_run_id": "The run that generated the answer; this run's own unless it was there already",
    "attempt": "0 for the first time the question was asked, then 1, 2, ...",
    "chunk_index": "The chunk of the document, from 0; null when it is about no chunk",
    "code": "The reject code",
    "advice": "What to do about it",
    "detail": "What happened, with the values at fault",
    "doc_id": "The document, by where it lies: the same when its content changes",
    "doc_key": "The document's content: another when its bytes change",
    "duration_s": "Seconds that the engine worked on the answer",
    "end": "Where the text of the chunk ends in the document: character, exclusive",
    "end_ms": "Last time that the chunk covers, in milliseconds; null where it has no times",
    "engine": "The kind of the engine: vllm, or synthetic for rehearsals",
    "entry_hash": "What the job's input says of the source, hashed",
    "error": "What the engine said when it gave no answer; empty otherwise",
    "fingerprint": "All that the rows depend on, hashed: job, schemas, model, readers",
    "finish_reason": "Why the answer ended",
    "first_page": "First page that the chunk shows, from 1; null where there are no pages",
    "format": "What kind of file it is",
    "job_fingerprint": "The job file and its schemas, hashed",
    "kept": "The value in the row (JSON text)",
    "key": "All that determines the answer, hashed: an answer with this key is never paid for twice",
    "last_page": "Last page that the chunk shows, from 1; null where there are no pages",
    "lost": "The value that lost (JSON text)",
    "max_tokens": "Most tokens that the answer was allowed",
    "metadata": "What the file says about itself",
    "model": "The model that answered",
    "n_cached_tokens": "Tokens of the prompt that the engine had computed before",
    "n_cited": "Values that quotes were asked for",
    "n_verified": "How many of those are verified",
    "n_chars": "Characters of the text",
    "n_chunks": "Chunks that the document was cut into",
    "n_chunks_answered": "Chunks whose answer is in the row",
    "n_items": "Items of the answer's lists; null where it has none or is not valid",
    "n_output_tokens": "Tokens of the answer",
    "n_pages": "Pages; null where the format has none",
    "n_prompt_tokens": "Tokens of the prompt",
    "n_prompts": "Questions asked about the document",
    "n_rejected_answers": "Questions that gave no record",
    "n_segments": "Pages or turns",
    "n_segments_without_text": "Pages or turns that gave no text",
    "n_tokens": "Tokens of the text",
    "occurrence": "0 for the first time the job names the source, then 1, 2, ...: duplicates",
    "outcome": "document, rejected or removed",
    "part": "Which part of the chunk: empty for the whole, else 0 or 1 for each time it was cut in two",
    "pointer": "Where the value stands in the row: JSON pointer",
    "policy": "How the values became one: the schema's x-merge, or its type's default",
    "prompt_id": "The question: document, task, chunk, part and attempt",
    "reading": "The version of the readers",
    "run_id": "The run that wrote the line",
    "segments": "Pages or turns, in order, each with its span of the text",
    "sha256": "Of the file's bytes",
    "size_bytes": "Of the file",
    "stage": "Where it was lost",
    "start": "Where the text of the chunk begins in the document: character, from 0",
    "start_ms": "First time that the chunk covers, in milliseconds; null where it has no times",
    "status": "What became of it",
    "task": "The task of the job",
    "text": "The text: of the document as it was read, of the answer as the model wrote it",
    "uri": "Where the source lies",
    "why": "Why the run took it up",
}
"""The columns of all tables by name, where the layout does not say it; in records they have an underscore in front."""


def meaning_of(column: str) -> str:
    """What a column of ours means."""
    return COLUMNS[column.removeprefix("_")]
