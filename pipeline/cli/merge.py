"""`pipeline merge OUTPUT`: make the rows again from the answers that are there, by the schemas as they are now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pipeline.cli.options import JsonOption, SetOption, VarOption, job_from
from pipeline.cli.run import tell
from pipeline.cli.show import OutputArgument, load_report
from pipeline.cli.signals import drain_on_signals, ignore_signals
from pipeline.errors import JobError
from pipeline.flow.stop import Stop

if TYPE_CHECKING:
    from pipeline.job import Job

JobOption = Annotated[
    Path | None,
    typer.Option("--job", metavar="JOB", help="The job file; without it the settings of the folder's last run."),
]


def merge(
    output: OutputArgument,
    *,
    job: JobOption = None,
    var: VarOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the rows again after a change of x-merge or x-key. No model is loaded, nothing is asked.

    It reuses every answer, and refuses when more than the merging changed. Sources that are new, changed or gone are
    left to pipeline run.
    """
    from pipeline.cli.progress import open_watcher
    from pipeline.flow.plan import build_plan
    from pipeline.flow.remerge import recorded_job, remerge
    from pipeline.tables.current import list_runs
    from pipeline.tables.lean import forgo_pandas

    forgo_pandas()
    if job is None and (var or set_):
        raise JobError("--var and --set change a job file: name it with --job.")
    runs = list_runs(output)
    if not runs:
        raise JobError(f"There is no committed run in {output}: it has no runs/*.json. Is this a job's output folder?")
    settings = recorded_job(output, load_report(output, runs[-1])) if job is None else job_from(job, var, set_)
    _check_same(settings, output)
    stop = Stop()
    drain_on_signals(stop)
    with open_watcher() as watcher:
        watcher.say(f"Preparing job {settings.name} ...")
        report, path = remerge(build_plan(settings), watcher, stop)
        ignore_signals()
    tell(report, path, settings.output_folder, as_json)
    raise typer.Exit(cast("int", report["exit_code"]))


def _check_same(settings: Job, output: Path) -> None:
    """The job must be the one that fills this folder.

    Raises:
        JobError: It fills another.
    """
    if settings.output_folder.resolve() != output.resolve():
        raise JobError(f"The job {settings.name!r} fills {settings.output_folder}, not {output}.")
