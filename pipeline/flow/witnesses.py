"""The quotes of a run: each answer's are looked up as it comes in, and become lines when its document is whole."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from pipeline.answers.evidence import Evidence
from pipeline.answers.ground import ReadText, ground
from pipeline.answers.placing import Placing
from pipeline.answers.quotes import Grade
from pipeline.answers.record import Invalid, Kept, Record
from pipeline.flow.open_document import Asked, OpenDocument
from pipeline.job.sections import EvidenceSection
from pipeline.readers.document import Document
from pipeline.schema.columns import Column
from pipeline.schema.json_text import JSON
from pipeline.schema.load import Contract
from pipeline.tables.audit import evidence_line
from pipeline.tables.layout import Line

_MOST_TEXTS = 4
"""Chunks whose index is held: answers to one chunk's questions come close together. Each takes 20 bytes a character."""


class Witnesses:
    """The texts that models read, indexed, a few at a time.

    Args:
        settings: What becomes of values that are not verified.
    """

    def __init__(self, settings: EvidenceSection) -> None:
        self._settings = settings
        self._texts: OrderedDict[tuple[int, int, str], ReadText] = OrderedDict()

    def ground(self, answer: Record | Kept, asked: Asked, contract: Contract) -> Record | Kept | Invalid:
        """The answer with evidence, or why it is none; see `answers.ground.ground`."""
        if not (answer if isinstance(answer, Record) else answer.record).citations:
            return answer
        return ground(answer, self._text(asked), contract.columns, self._settings.unverified)

    def _text(self, asked: Asked) -> ReadText:
        ready, chunk = asked.document.ready, asked.chunk
        key = (ready.taken.ordinal, chunk.index, chunk.part)
        text = self._texts.pop(key, None) or ReadText(ready.document, chunk, self._settings.min_score)
        self._texts[key] = text
        if len(self._texts) > _MOST_TEXTS:
            self._texts.popitem(last=False)
        return text


def evidence_lines(
    document: OpenDocument, task: str, row: Mapping[str, JSON], columns: Sequence[Column]
) -> Iterator[tuple[Line, Evidence]]:
    """The lines of `evidence/` for one row, by chunk and then as the answers cite, each with what it tells."""
    placing, starts = Placing(row, columns), _starts(document.ready.document)
    for record in sorted(document.records[task], key=lambda record: (record.chunk_index, record.part)):
        for evidence in record.evidence:
            pointer = evidence.citation.pointer
            place, is_there = placing.place(record.values, pointer) if evidence.is_let_in else (pointer, False)
            segments = _segments(evidence, starts)
            line = evidence_line(evidence, task, place, document.ready.document, segments)
            chunk = {"chunk_index": record.chunk_index, "part": record.part}
            yield {**line, **chunk, "is_in_row": is_there}, evidence


def cited_segments(document: OpenDocument) -> set[int]:
    """Indices of the segments that a found quote of any answer stands in."""
    starts = _starts(document.ready.document)
    found = (record.evidence for records in document.records.values() for record in records)
    return {i for evidence in found for one in evidence for i in _segments(one, starts)}


def _starts(document: Document) -> list[int]:
    return [segment.start for segment in document.segments]


def _segments(evidence: Evidence, starts: Sequence[int]) -> range:
    """The segments that the found words stand in; empty ones that begin where they do are before them."""
    if evidence.located.grade is Grade.MISSING:
        return range(0)
    return range(bisect_right(starts, evidence.located.start) - 1, bisect_left(starts, evidence.located.end))
