"""A record in, the same with evidence out: each quote is looked up in what the model read, each value held against it.

What becomes of a value that is not verified is the job's choice: it stays, it is not let into the row, or the whole
answer counts as none. Pure: the order of records means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

from pipeline.answers.agreement import Agreement, agree
from pipeline.answers.citations import Citation
from pipeline.answers.evidence import Evidence
from pipeline.answers.quotes import MISSING, Grade, Located, QuoteFinder
from pipeline.answers.record import Invalid, Kept, Record
from pipeline.errors import RejectCode
from pipeline.prompts.marks import mark
from pipeline.prompts.prompt import Chunk
from pipeline.readers.document import Document, Segment
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON
from pipeline.schema.pointer import child, names_of

Policy = Literal["keep", "null", "reject"]
_BRACKETED = re.compile(r"\[[^\[\]\n]{1,200}\]")


class ReadText:
    """What a model read of a document: the text of one chunk, or of a part of one.

    Args:
        document: The document.
        chunk: What was shown of it.
        min_score: See `QuoteFinder`.
    """

    def __init__(self, document: Document, chunk: Chunk, min_score: float) -> None:
        self._document, self._chunk = document, chunk
        self._finder = QuoteFinder(document.text[chunk.start : chunk.end], min_score)
        self._known: dict[str, Located] = {}  # one line of a document is often the quote for many values

    @cached_property
    def _marks(self) -> Mapping[str, Segment]:
        """What names the segments in the prompt, and is no word of the document."""
        segments = self._document.segments[self._chunk.first_segment : self._chunk.last_segment + 1]
        return {mark(one, continued=continued): one for one in reversed(segments) for continued in (False, True)}

    def look_up(self, citation: Citation, column: Column) -> Evidence:
        """Where a quote stands, and whether it says what the value of this column says.

        A mark in it, which names a page or says who speaks when, is no word of the document. A quote of nothing but a
        mark stands where the segment does that it names.
        """
        marks = [found for found in _BRACKETED.findall(citation.quote) if found in self._marks]
        quote = citation.quote
        for found in marks:
            quote = quote.replace(found, " ")
        located = self._named(marks[0]) if marks and not quote.strip() else self._find(quote)
        if located.grade is Grade.MISSING:
            return Evidence(citation, located, "", Agreement.UNCHECKED)
        words = self._document.text[located.start : located.end]
        said = " ".join([*marks, words]) if column.kind in (Kind.STRING, Kind.ENUM) else words
        return Evidence(citation, located, words, agree(citation.value, said, column))

    def _named(self, found: str) -> Located:
        """The text of a segment that the model saw, by its mark."""
        segment, chunk = self._marks[found], self._chunk
        start, end = max(segment.start, chunk.start), min(segment.end, chunk.end)
        return Located(Grade.EXACT, 1.0, start, end, 1) if start < end else MISSING

    def _find(self, quote: str) -> Located:
        """Where a quote stands in the document."""
        if quote not in self._known:
            located, start = self._finder.find(quote), self._chunk.start
            is_there = located.grade is not Grade.MISSING
            self._known[quote] = (
                replace(located, start=located.start + start, end=located.end + start) if is_there else located
            )
        return self._known[quote]


def ground(answer: Record | Kept, text: ReadText, columns: Sequence[Column], policy: Policy) -> Record | Kept | Invalid:
    """Look up what an answer quotes.

    Args:
        answer: A record, or one that is kept though it is not all.
        text: What the model read.
        columns: Of the record's contract.
        policy: What becomes of values that are not verified: "keep" lets them in, "null" does not (an item of a list
            goes, anything else becomes null, also in a list of a JSON column, whose places may have a meaning),
            "reject" makes the answer UNVERIFIED; one that was cut is TRUNCATED still: what helps it is more room.

    Returns:
        The answer with evidence for each citation, in its order; or why it is none.
    """
    record = answer if isinstance(answer, Record) else answer.record
    evidence = tuple(text.look_up(one, column_at(columns, one.pointer)) for one in record.citations)
    unverified = [one for one in evidence if not one.is_verified]
    if unverified and policy == "reject":
        return _refused(answer, unverified)
    grounded = replace(record, evidence=evidence)
    if unverified and policy == "null":
        items = {one.citation.pointer: _is_item(columns, one.citation.pointer) for one in unverified}
        grounded = _without(grounded, items)
    return grounded if isinstance(answer, Record) else replace(answer, record=grounded)


def _refused(answer: Record | Kept, unverified: Sequence[Evidence]) -> Invalid:
    more = f", and {len(unverified) - 1} more like it" if len(unverified) > 1 else ""
    complaint = f"{unverified[0].complaint}{more}"
    if isinstance(answer, Kept) and answer.code is RejectCode.SALVAGED:
        return Invalid(RejectCode.TRUNCATED, f"{answer.detail}, but {complaint}")
    return Invalid(RejectCode.UNVERIFIED, complaint)


def column_at(columns: Sequence[Column], pointer: str) -> Column:
    """The column of a value by its pointer among a record's values; of what has none, one that holds JSON."""
    found: Column | None = None
    children: Sequence[Column] = columns
    for name in names_of(pointer):
        if found is not None and found.kind in (Kind.LIST, Kind.MAP):
            found = found.children[0]
        else:
            found = next((column for column in children if column.name == name), None)
        if found is None:
            break
        children = found.children
    return found or Column("", Kind.JSON)


def _is_item(columns: Sequence[Column], pointer: str) -> bool:
    """Whether a value is an item of a list of which only the items count, not their places."""
    return column_at(columns, child("", *names_of(pointer)[:-1])).kind is Kind.LIST


def _without(record: Record, dropped: Mapping[str, bool]) -> Record:
    """The record without some of its values; evidence for what is inside of them goes with them.

    Args:
        record: The record.
        dropped: By pointer, the values: true for those that go altogether, false for those that become null.
    """
    moved: dict[str, str] = {}
    values = {
        name: _kept(value, child("", name), child("", name), dropped, moved) for name, value in record.values.items()
    }
    return replace(record, values=values, evidence=tuple(_moved(one, moved) for one in record.evidence))


def _kept(value: JSON, old: str, new: str, dropped: Mapping[str, bool], moved: dict[str, str]) -> JSON:
    """What is left of a value; where each part of it stands afterwards goes into `moved`."""
    if old in dropped:
        return None
    moved[old] = new
    if isinstance(value, dict):
        return {name: _kept(part, child(old, name), child(new, name), dropped, moved) for name, part in value.items()}
    if isinstance(value, list):
        items: list[JSON] = []
        for i, item in enumerate(value):
            if not dropped.get(child(old, i)):
                items.append(_kept(item, child(old, i), child(new, len(items)), dropped, moved))
        return items
    return value


def _moved(evidence: Evidence, moved: Mapping[str, str]) -> Evidence:
    pointer = moved.get(evidence.citation.pointer)
    if pointer is None:
        return replace(evidence, is_let_in=False)
    return replace(evidence, citation=replace(evidence.citation, pointer=pointer))
