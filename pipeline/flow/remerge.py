"""Rows made again from the answers that are there: for a schema of which only the merging changed. Asks no model.

A re-merge is a run in which every answer is reused: the documents whose job changed are taken up, cut as before, and
settled from the recorded answers, so that its tables, sums and report are those of a run, and the next `pipeline run`
finds nothing to do. It takes up no source that is new, changed or lost, and removes none. What needs an answer that is
not there is refused, before anything is written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import JobError
from pipeline.flow.components import READERS, compare
from pipeline.flow.local import run_job
from pipeline.flow.options import RunOptions
from pipeline.flow.plan import Plan
from pipeline.flow.stop import Stop
from pipeline.flow.watcher import Watcher
from pipeline.job import Job
from pipeline.sources import Entry
from pipeline.tables.lines import Outcome
from pipeline.tables.state import Settled, State, load_state


def remerge(plan: Plan, watcher: Watcher, stop: Stop) -> tuple[dict[str, object], Path]:
    """Make the rows of a planned job again.

    Args:
        plan: The whole job, as for a run.
        watcher: Told how it goes, and what is left to `pipeline run`.
        stop: Says when to end early; what is whole by then is committed.

    Returns:
        The run report, and where it lies.

    Raises:
        JobError: More changed than how values are merged, or an answer is not there. Nothing was written.
        PipelineError: As a run.
    """
    known = _look(plan)
    _refuse_more(plan, known)
    report, path = run_job(replace(plan, entries=known.entries), RunOptions(is_remerge=True), watcher, stop)
    n_stale = 0 if stop.reason else sum(1 for _ in _iter_stale(_look(plan), plan))
    if known.n_new or n_stale:
        watcher.say(
            f"Left to pipeline run: {known.n_new:,} sources that are new, {n_stale:,} that changed or are gone."
        )
    return report, path


def recorded_job(output: Path, report: dict[str, Any]) -> Job:
    """The job as a run of this folder had it, `--var` and `--set` included.

    Args:
        output: The output folder.
        report: The report of one of its runs.

    Raises:
        JobError: The report does not say it, or the folder does not lie where the job's output lay: then its project,
            and in it the schemas and the input, is not known.
    """
    try:
        settings = report["settings"]
        folder = Path(os.path.normpath(settings["output"]["folder"]))
        place = output.resolve()
        if folder.is_absolute() or ".." in folder.parts or place.parts[-len(folder.parts) :] != folder.parts:
            raise JobError(
                f"The job that filled {output} called its output folder {str(folder)!r}, which does not say where its "
                "schemas lie now. Name the job file with --job."
            )
        return Job.model_validate({**settings, "project": place.parents[len(folder.parts) - 1]})
    except (KeyError, TypeError, ValidationError) as error:
        message = (
            f"The last run of {output} was written by another version: its report does not give the job's settings."
        )
        raise JobError(f"{message} Name the job file with --job.") from error


@dataclass(frozen=True, slots=True)
class _Known:
    """What of a job's input stands in its output folder.

    Attributes:
        state: The folder's settled sources.
        entries: Entries that were settled before, in the job's order.
        settled: How, for each of them.
        n_new: Entries that were not.
    """

    state: State
    entries: list[Entry]
    settled: list[Settled]
    n_new: int


def _look(plan: Plan) -> _Known:
    state = load_state(plan.job.output_folder)
    entries, settled, n_new = [], [], 0
    repeated: Counter[str] = Counter()
    for entry in plan.entries:
        found = state.find(entry.doc_id, repeated[entry.doc_id])
        repeated[entry.doc_id] += 1
        if found is None or found.outcome == Outcome.REMOVED:
            n_new += 1
        else:
            entries.append(entry)
            settled.append(found)
    return _Known(state, entries, settled, n_new)


def _iter_stale(known: _Known, plan: Plan) -> Iterator[Settled]:
    """Documents whose rows were made by another version of the job."""
    for settled in known.settled:
        if settled.outcome == Outcome.DOCUMENT and settled.fingerprint != plan.tables.fingerprint:
            yield settled


def _refuse_more(plan: Plan, known: _Known) -> None:
    """See that the recorded answers are those of the job as it is now.

    Raises:
        JobError: They are not; names what changed.
    """
    for run_id in {settled.fingerprint: settled.run_id for settled in _iter_stale(known, plan)}.values():
        old = known.state.report(run_id).get("components", {})
        change = compare(old, plan.components)
        if change.tasks is None or change.tasks or old.get(READERS) != plan.components[READERS]:
            message = (
                "pipeline merge makes rows again from the answers that are there. Since the run "
                f"{run_id} more has changed than how values are merged: {', '.join(change.reasons)}, so that documents "
                "have to be read or asked about again. Nothing was changed. Use pipeline run."
            )
            raise JobError(message)
