"""The Record: a validated answer for one (chunk, task); Kept: one that lacks some; Invalid: why an answer is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.answers.citations import Citation
from pipeline.answers.evidence import Evidence
from pipeline.errors import RejectCode
from pipeline.schema.columns import Column, Kind
from pipeline.schema.values import JSON


@dataclass(frozen=True, slots=True)
class Record:
    """A validated answer.

    Attributes:
        doc_id: The document.
        chunk_index: The chunk it was asked of, from 0.
        task: The task's name.
        values: The answer, which satisfies the task's whole schema and fits its columns. Numbers written with a point
            or an exponent are Decimal, all others int.
        part: The chunk's part; see `Chunk`.
        citations: What was quoted for which of the values, where the schema asks for it.
        evidence: What became of each of them, once they were looked up.
    """

    doc_id: str
    chunk_index: int
    task: str
    values: dict[str, JSON]
    part: str = ""
    citations: tuple[Citation, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a generation gave no record.

    Attributes:
        code: For the reject.
        detail: One sentence: where in the answer, what was found, what was expected.
    """

    code: RejectCode
    detail: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that is known, or must be feared, not to be all: good for the row when nothing better comes.

    Attributes:
        record: What there is.
        code: Why it is not all; one that `keeps_values`.
        detail: One sentence: what was found.
        written: The answer as the model wrote it, with counts and quotes.
    """

    record: Record
    code: RejectCode
    detail: str
    written: JSON


def count_items(values: Mapping[str, JSON], columns: Sequence[Column]) -> int | None:
    """Items of the top-level lists of an answer, all lists together; None when its columns have no list."""
    lists = [values.get(column.name) for column in columns if column.kind is Kind.LIST]
    return sum(len(found) for found in lists if isinstance(found, list)) if lists else None
