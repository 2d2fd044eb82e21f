"""`pipeline eval JOB --gold FILE`: hold the rows against gold labels; what is right, and what a change made of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JobArgument, JsonOption, SetOption, VarOption, job_from

_GATE_FAILED = 5

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
    for name, one in report["tasks"].items():
        if one["n_unmatched"]:
            shown = ", ".join(one["unmatched"][:3]) + (", ..." if one["n_unmatched"] > 3 else "")
            print(
                f"warning: task {name}: {one['n_unmatched']:,} of the gold are not in the folder: {shown}",
                file=sys.stderr,
            )
    failed = [gate for gate in report["gates"] if not gate["passes"]]
    for gate in failed:
        print(f"gate failed: {gate['sentence']}", file=sys.stderr)
    raise typer.Exit(_GATE_FAILED if failed else 0)
