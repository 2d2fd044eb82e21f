"""Writes the report of an output folder: the run, a page for each document, the evaluation if there is one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import JobError
from pipeline.reports.html.document_page import build_document_page
from pipeline.reports.html.evaluation_page import build_evaluation_page
from pipeline.reports.html.folder import replace_report
from pipeline.reports.html.gather import Overview, Summary, build_overview, columns_by_task, iter_parts
from pipeline.reports.html.index_page import build_index_page
from pipeline.reports.html.naming import page_name
from pipeline.tables.current import list_runs, load_current

EVALUATION = "evaluation.json"


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """What was written.

    Attributes:
        folder: The report.
        n_pages: HTML files in it.
        n_documents: Documents with a page of their own.
        n_left_out: Documents without one, because of the limit.
    """

    folder: Path
    n_pages: int
    n_documents: int
    n_left_out: int


def write_report(output: Path, target: Path, most_documents: int) -> WrittenReport:
    """Write the report of an output folder; it takes the place of an older one.

    Args:
        output: The output folder of a job.
        target: The folder of the report.
        most_documents: Documents that get a page, those with rejects, conflicts or unverified values first.

    Raises:
        JobError: There is no committed run, or its report cannot be read.
        OutputError: A table cannot be read, or the report cannot be written.
        TryAgainError: Another process writes the same report.
    """
    runs = list_runs(output)
    if not runs:
        raise JobError(f"There is no committed run in {output}: it has no runs/*.json. Is this a job's output folder?")
    reports = [_load_json(output / "runs" / f"{run}.json") for run in runs]
    evaluation = _load_json(output / EVALUATION) if (output / EVALUATION).exists() else None
    tables = load_current(output, runs)
    overview = build_overview(tables)
    chosen = choose_documents(overview, most_documents)
    names = {one.doc_id: page_name(one.doc_id, one.uri) for one in chosen}
    has_evaluation = evaluation is not None
    with replace_report(target) as report:
        report.write("index.html", build_index_page(reports, overview, names, has_evaluation=has_evaluation))
        if evaluation is not None:
            report.write("evaluation.html", build_evaluation_page(evaluation, names, runs[-1]))
        columns = columns_by_task(tables)
        for parts in iter_parts(tables, {one.doc_id: one for one in chosen}):
            page = build_document_page(parts, columns, has_evaluation=has_evaluation)
            report.write(f"documents/{names[parts.summary.doc_id]}", page)
    n_pages = 1 + has_evaluation + len(chosen)
    n_readable = sum(one.has_text for one in overview.documents)
    return WrittenReport(target, n_pages, len(chosen), n_readable - len(chosen))


def choose_documents(overview: Overview, most: int) -> list[Summary]:
    """The documents that get a page: those that need a look first, else in the order of the table."""
    readable = [one for one in overview.documents if one.has_text]
    return list(islice(sorted(readable, key=lambda one: not one.needs_a_look), most))


def _load_json(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"{path} cannot be read: {error}") from error
    if not isinstance(loaded, dict):
        raise JobError(f"{path} holds no JSON object: it was not written by pipeline.")
    return loaded
