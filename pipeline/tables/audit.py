"""How what lost a merge and what was quoted become lines of `conflicts/` and `evidence/`."""

from __future__ import annotations

from pipeline.answers.evidence import Evidence
from pipeline.answers.merge import Conflict
from pipeline.prompts.prompt import Chunk
from pipeline.readers.document import Document
from pipeline.schema.json_text import write_json
from pipeline.tables.layout import Line
from pipeline.tables.lines import page_span


def conflict_line(conflict: Conflict, task: str, chunk: Chunk, document: Document) -> Line:
    """One line of `conflicts/`, without the engine and the run.

    Args:
        conflict: What lost a merge.
        task: The task's name.
        chunk: The chunk, or the part of one, whose answer gave the lost value.
        document: Whose chunk it is.
    """
    segments = document.segments[chunk.first_segment : chunk.last_segment + 1]
    first_page, last_page = page_span(document, chunk)
    return {
        "doc_id": document.doc_id,
        "doc_key": document.doc_key,
        "uri": document.uri,
        "task": task,
        "pointer": conflict.pointer,
        "policy": conflict.policy.value,
        "kept": write_json(conflict.kept),
        "lost": write_json(conflict.lost),
        "chunk_index": conflict.chunk_index,
        "part": conflict.part,
        "start": chunk.start,
        "end": chunk.end,
        "first_page": first_page,
        "last_page": last_page,
        "start_ms": min((s.start_ms for s in segments if s.start_ms is not None), default=None),
        "end_ms": max((s.end_ms for s in segments if s.end_ms is not None), default=None),
    }


def evidence_line(evidence: Evidence, task: str, pointer: str, document: Document, segments: range) -> Line:
    """One line of `evidence/`, without the chunk, the engine and the run.

    Args:
        evidence: What became of a citation.
        task: The task's name.
        pointer: Where its value stands in the row, or would.
        document: Whose words they are.
        segments: Indices of the segments that the found words stand in; empty when they are missing.
    """
    citation, located = evidence.citation, evidence.located
    found = [document.segments[i] for i in segments]
    pages = [segment.page_number for segment in found if segment.page_number is not None]
    return {
        "doc_id": document.doc_id,
        "doc_key": document.doc_key,
        "uri": document.uri,
        "task": task,
        "pointer": pointer,
        "value": write_json(citation.value),
        "quote": citation.quote,
        "is_verified": evidence.is_verified,
        "grade": located.grade.value,
        "score": located.score,
        "agreement": evidence.agreement.value,
        "found_text": evidence.words or None,
        "start": located.start if found else None,
        "end": located.end if found else None,
        "n_places": located.n_places,
        "first_page": min(pages, default=None),
        "last_page": max(pages, default=None),
        "page_label": next((segment.page_label for segment in found), None),
        "start_ms": min((s.start_ms for s in found if s.start_ms is not None), default=None),
        "end_ms": max((s.end_ms for s in found if s.end_ms is not None), default=None),
        "speaker": next((segment.speaker for segment in found if segment.speaker), None),
    }
