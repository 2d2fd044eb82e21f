"""`pipeline eval JOB --gold FILE`: hold the rows against gold labels; what is right, and what a change made of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import JobArgument, JsonOption, SetOption, VarOption, job_from
from pipeline.schema.pointer import printable

_GATE_FAILED = 5
_MOST_NAMED = 3

GoldOption = Annotated[
    Path,
    typer.Option("--gold", metavar="FILE", help="What is right: .jsonl, .csv or .parquet; see docs/evaluation.md."),
]
TaskOption = Annotated[str | None, typer.Option("--task", metavar="TASK", help="Look at this task only.")]
AgainstOption = Annotated[
    Path | None,
    typer.Option("--against", metavar="OUTPUT", help="Compare with the rows of another output folder."),
]


def evaluate(
    job: JobArgument,
    *,
    gold: GoldOption,
    task: TaskOption = None,
    against: AgainstOption = None,
    var: VarOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the job's rows against gold labels: precision, recall and F1 of each field, and the job's gates.

    Asks no model. Writes evaluation.json into the output folder. Exits with 5 when a gate fails.
    """
    from pipeline.reports.evaluation.evaluate import Wanted, write_evaluation
    from pipeline.reports.evaluation.evaluate import evaluate as build_evaluation
    from pipeline.schema.json_text import write_json

    settings = job_from(job, var, set_)
    report = build_evaluation(settings, Wanted(gold, task, against), datetime.now(UTC).replace(microsecond=0))
    path = write_evaluation(report, settings.output_folder)
    if as_json:
        print(write_json(report))
    else:
        from pipeline.cli.evaluation_text import print_evaluation

        print_evaluation(report, path)
    failed = [gate for gate in report["gates"] if not gate["passes"]]
    for sentence in [*_warnings(report), *(f"gate failed: {gate['sentence']}" for gate in failed)]:
        print(sentence, file=sys.stderr)
    raise typer.Exit(_GATE_FAILED if failed else 0)


def _warnings(report: Mapping[str, Any]) -> list[str]:
    """One for each task whose gold names documents that the folder does not have."""
    found = []
    for name, task in report["tasks"].items():
        if n := task["n_unmatched"]:
            shown = ", ".join(task["unmatched"][:_MOST_NAMED]) + (", ..." if n > _MOST_NAMED else "")
            which = f"{n:,} of the gold {'is' if n == 1 else 'are'} not in the folder"
            found.append(f"warning: task {name}: {which}: {printable(shown)}")
    return found
