"""The page of one document: its rows beside its text, every cited value where it stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RejectCode
from pipeline.reports.html.charts import build_strip
from pipeline.reports.html.citations import AGREEMENTS, GRADES, Citation, build_citations, build_spans
from pipeline.reports.html.gather import Parts
from pipeline.reports.html.highlights import Piece, cut_blocks, cut_pieces
from pipeline.reports.html.losses import Loss, build_losses
from pipeline.reports.html.render import render_page
from pipeline.reports.html.rows import TaskRow, build_task_row
from pipeline.reports.html.wording import clock_time
from pipeline.schema.columns import Column

ColumnsByTask = Mapping[str, Mapping[str, tuple[Column, ...]]]


@dataclass(frozen=True, slots=True)
class Section:
    """A segment as it is shown.

    Attributes:
        index: From 0.
        name: Such as "Page 3" or "0:12:07 Alice".
        label: The PDF's own label where it differs; else empty.
        status: Its status.
        detail: Why it has no text, or what was odd.
        blocks: Its text: blocks of pieces.
    """

    index: int
    name: str
    label: str
    status: str
    detail: str
    blocks: tuple[tuple[Piece, ...], ...]


def build_document_page(parts: Parts, columns: ColumnsByTask, *, has_evaluation: bool) -> str:
    """The page, HTML.

    Args:
        parts: What the tables have of the document.
        columns: Of each task's rows, by task and by the run that wrote them.
        has_evaluation: Whether there is a page to link to.
    """
    line = parts.line
    text, segments = line["text"], line["segments"]
    starts = [segment["start"] for segment in segments]
    names = [_name(segment, index) for index, segment in enumerate(segments)]
    citations = build_citations(parts.evidence, len(text), lambda at: names[bisect_right(starts, at) - 1].lower())
    losses = build_losses(parts.conflicts, starts)
    sections = _sections(text, segments, citations)
    cited = line.get("segments_cited")
    strip = build_strip([section.status for section in sections], frozenset(cited or ()), names)
    return render_page(
        "document.html",
        ("document.js",),
        document=line,
        summary=parts.summary,
        rows=[_row(task, parts, by_run, citations, losses) for task, by_run in columns.items()],
        rejects=[(RejectCode(one["code"]), one) for one in parts.rejects if one["code"] not in _OF_OTHERS],
        sections=sections,
        strip=strip if cited is not None else [],
        n_cited=sum(1 for one in citations if one.is_in_row),
        n_quotes=len(citations),
        n_found=sum(1 for one in citations if one.is_found),
        grades=GRADES,
        agreements=AGREEMENTS,
        has_evaluation=has_evaluation,
    )


_OF_OTHERS = (RejectCode.SOURCE_DUPLICATE.value,)
"""Rejects of another source that has the same doc_id."""


def _row(
    task: str,
    parts: Parts,
    by_run: Mapping[str, tuple[Column, ...]],
    citations: Sequence[Citation],
    losses: Sequence[Loss],
) -> TaskRow:
    row = parts.rows.get(task)
    return build_task_row(
        task,
        row,
        by_run.get(row["_run_id"], ()) if row is not None else (),
        [one for one in citations if one.task == task],
        [one for one in losses if one.task == task],
    )


def _sections(text: str, segments: Sequence[Mapping[str, Any]], citations: Sequence[Citation]) -> list[Section]:
    blocks = [cut_blocks(text, one["start"], _shown_end(text, one["start"], one["end"])) for one in segments]
    pieces = cut_pieces(text, [block for own in blocks for block in own], build_spans(citations))
    return [
        Section(
            index=index,
            name=_name(segment, index),
            label=_label(segment),
            status=segment["status"],
            detail=segment["detail"] or "",
            blocks=tuple(tuple(next(pieces)) for _ in own),
        )
        for index, (segment, own) in enumerate(zip(segments, blocks, strict=True))
    ]


def _shown_end(text: str, start: int, end: int) -> int:
    """Where the segment's own text ends, without the space up to the next one."""
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _name(segment: Mapping[str, Any], index: int) -> str:
    if segment["page_number"] is not None:
        return f"Page {segment['page_number']}"
    words = [] if segment["start_ms"] is None else [clock_time(segment["start_ms"])]
    words += [segment["speaker"]] if segment["speaker"] else []
    return " ".join(words) or f"{str(segment['kind']).capitalize()} {index + 1}"


def _label(segment: Mapping[str, Any]) -> str:
    label = segment["page_label"] or ""
    return "" if label == str(segment["page_number"]) else label
