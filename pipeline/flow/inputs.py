"""The files a job names, as a list: `check` counts them, a run reads them."""

from __future__ import annotations

from itertools import islice

from pipeline.errors import JobError
from pipeline.job import Job
from pipeline.sources import Entry, iter_entries


def list_entries(job: Job, limit: int | None = None) -> list[Entry]:
    """The job's input in its order, at most `limit` of it.

    Raises:
        JobError: A named path is absent, the manifest cannot be read, or there is no file at all and the job does not
            say that this may be.
    """
    found = iter_entries(job.input.paths, job.input.manifest, job.project, job.output_folder)
    entries = list(islice(found, limit))
    if not entries and limit != 0 and not job.input.allow_empty:
        names = ", ".join([*job.input.paths, *filter(None, [job.input.manifest])])
        raise JobError(f"The input names no file: {names} in {job.project}. If that is fine, set input.allow_empty.")
    return entries
