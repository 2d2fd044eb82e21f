"""What several commands take: the job file, `--var`, `--set`, `--json`; and how a Job comes from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import JobError
from pipeline.job import Job, load_job

JobArgument = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (TOML).")]
VarOption = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of ${NAME} in the job file.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Override a setting of the job file.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="Take the first N sources only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]


def job_from(path: Path, variables: list[str] | None, overrides: list[str] | None) -> Job:
    """The job file with `--var` and `--set` applied.

    Raises:
        JobError: The job file or one of the values is wrong.
    """
    values = {}
    for variable in variables or []:
        name, equals, value = variable.partition("=")
        if not equals or not name:
            raise JobError(f"--var {variable!r}: expected name=value, for instance run_date=2025-01-31.")
        values[name] = value
    return load_job(path, values, overrides or [])
