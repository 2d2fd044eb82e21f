"""A job, its output folder and a gold file in, the evaluation out: what `evaluation.json` says.

It reads tables and files and no clock. The shape of what it gives is described in this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import JobError
from pipeline.job import Job
from pipeline.reports.evaluation.answering import build_answering
from pipeline.reports.evaluation.compare import compare_answering, compare_fields, judge_migration
from pipeline.reports.evaluation.gates import check_gates, judge_gates
from pipeline.reports.evaluation.gold import TaskGold, build_gold
from pipeline.reports.evaluation.gold_files import iter_gold
from pipeline.reports.evaluation.judging import Judged, judge_documents, report_field
from pipeline.reports.evaluation.nearest import nearest
from pipeline.reports.evaluation.pairing import Annotated, field_names, find_annotated
from pipeline.reports.evaluation.rows import Found, load_found, load_rows
from pipeline.schema.columns import Column
from pipeline.schema.json_text import JSON, write_json
from pipeline.schema.load import load_contract
from pipeline.tables.staged import writing

EVALUATION = "evaluation.json"
MOST_UNMATCHED = 50
"""Documents that are named which the folder does not have."""
_AGAINST = "--against takes the output folder of another run, such as out/before."

Report = dict[str, Any]
_Columns = Mapping[str, tuple[Column, ...]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be evaluated, besides the job.

    Attributes:
        gold: The gold file.
        task: The only task to look at; None: all.
        against: Another output folder to compare with; None: none.
    """

    gold: Path
    task: str | None = None
    against: Path | None = None


def evaluate(job: Job, wanted: Wanted, created_at: datetime) -> Report:
    """Hold the current rows of the job's output folder against the gold.

    Raises:
        JobError: The gold is wrong, or names no document of the folder; a gate names no field; the folder has no
            committed run, or rows of another schema.
        OutputError: A table cannot be read.
    """
    columns = _columns(job)
    check_gates(job.gates, {task: field_names(of_task) for task, of_task in columns.items()})
    if wanted.task is not None and wanted.task not in columns:
        raise JobError(f"--task {wanted.task!r}: there is no such task{nearest(wanted.task, columns)}")
    found = load_found(job.output_folder)
    gold = build_gold(iter_gold(wanted.gold), columns, found.uris, str(wanted.gold), wanted.task)
    columns = {task: of_task for task, of_task in columns.items() if wanted.task in (None, task)}
    tasks = {task: _Task(task, columns[task], of_task) for task, of_task in gold.items()}
    judged = {name: task.judge(found) for name, task in tasks.items()}
    report: Report = {
        "job": job.name,
        "gold": str(wanted.gold),
        "output": str(job.output_folder),
        "output_run_id": found.run_id,
        "created_at": created_at.isoformat(),
        "task": wanted.task,
        "tasks": {name: _report_task(task.gold, judged[name], found) for name, task in tasks.items()},
        **build_answering(found, columns),
    }
    known = {task: field_names(of_task) for task, of_task in columns.items()}
    report["gates"] = judge_gates(job.gates, report, known)
    report["against"] = None
    if wanted.against is not None:
        against = load_found(wanted.against, _AGAINST)
        was = build_answering(against, columns)
        compared = {name: task.compare(against, found, judged[name]) for name, task in tasks.items()}
        report["against"] = _report_against(against, compared, compare_answering(was, report), report, judged)
    return report


def write_evaluation(report: Report, folder: Path) -> Path:
    """Write `evaluation.json`, whole or not at all; gives its path.

    Raises:
        OutputError: The folder cannot be written.
    """
    path = folder / EVALUATION
    temporary = folder / f".{EVALUATION}.tmp"
    with writing(path):
        temporary.write_text(write_json(report) + "\n", encoding="utf-8")
        temporary.replace(path)
    return path


def _columns(job: Job) -> dict[str, tuple[Column, ...]]:
    return {
        task.name: load_contract(job.project / task.schema_path, job.max_tokens_of(task)).columns for task in job.tasks
    }


class _Task:
    """What the gold has of one task, with the columns that it annotates."""

    def __init__(self, name: str, columns: tuple[Column, ...], gold: TaskGold) -> None:
        self.name, self.gold = name, gold
        named = {field for values in gold.documents.values() for field in values}
        self._columns = tuple(column for column in columns if column.name in named)
        self._all = columns
        self._annotated: Annotated = find_annotated(gold.documents.values(), self._columns)

    def judge(self, found: Found) -> Judged:
        """The annotated documents against the rows of the job's own folder.

        Raises:
            JobError: A row was written without one of the columns, or with another type.
        """
        rows = load_rows(found, self.name, self._columns, self.gold.documents)
        if rows.lacking:
            message = (
                f"Task {self.name}: {found.folder} has rows in which {sorted(rows.lacking)[0]!r} does not stand as the "
                "schema has it now. Run the job, or pipeline merge, and evaluate then."
            )
            raise JobError(message)
        return judge_documents(self.gold.documents, rows.values, self._columns, self._annotated)

    def compare(self, before: Found, found: Found, judged: Judged) -> dict[str, object]:
        """The same documents in another folder, and here; those that the other does not have are left out."""
        common = {doc_id: values for doc_id, values in self.gold.documents.items() if doc_id in before.uris}
        rows = load_rows(before, self.name, self._columns, common)
        lacking = rows.lacking if rows.values else frozenset()
        columns = tuple(column for column in self._columns if column.name not in lacking)
        gold = {doc_id: _only(values, columns) for doc_id, values in common.items()}
        was = judge_documents(gold, rows.values, columns, self._annotated)
        ours = {column.name for column in self._all}
        return {
            "n_documents": len(common),
            "only_now": [name for name in judged if name not in was],
            "only_before": [name for name in rows.names if name not in ours],
            "fields": compare_fields(was, judged, found.uris),
        }


def _report_against(
    against: Found, compared: Report, answering: Report, report: Report, judged: Mapping[str, Judged]
) -> Report:
    p95_ratio = answering["latency_s"]["p95_ratio"]
    return {
        "output": str(against.folder),
        "output_run_id": against.run_id,
        "tasks": compared,
        **answering,
        "protocol": judge_migration(report["answers"]["valid_ratio"], list(judged.values()), p95_ratio),
    }


def _only(values: Mapping[str, JSON], columns: tuple[Column, ...]) -> dict[str, JSON]:
    return {column.name: values[column.name] for column in columns if column.name in values}


def _report_task(gold: TaskGold, judged: Judged, found: Found) -> Report:
    return {
        "n_documents": len(gold.documents),
        "n_unmatched": len(gold.unmatched),
        "unmatched": gold.unmatched[:MOST_UNMATCHED],
        "fields": {name: report_field(documents, found.uris) for name, documents in judged.items()},
    }
