"""`pipeline run JOB`: do the work, commit the tables, say what came out."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import typer

from pipeline.cli.options import JobArgument, JsonOption, LimitOption, SetOption, VarOption, job_from
from pipeline.errors import RejectCode


def run(
    job: JobArgument,
    var: VarOption = None,
    set_: SetOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the documents, ask the questions, commit the tables."""
    from pipeline.cli.progress import open_watcher
    from pipeline.flow.local import run_job
    from pipeline.flow.plan import build_plan

    settings = job_from(job, var, set_)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    with open_watcher() as watcher:
        watcher.say(f"Preparing job {settings.name} and model {settings.model.path} ...")
        plan = build_plan(settings, limit)
        report, path = run_job(plan, run_id, watcher)
    if as_json:
        print(json.dumps({**report, "report": str(path)}, ensure_ascii=False))
    else:
        print(summary(report))
        print(f"tables    {settings.output_folder}")
        print(f"report    {path}")
        print(f"look      pipeline show {shown(settings.output_folder)}")
    for sentence in cast("list[str]", report["failed_gates"]):
        print(f"gate failed: {sentence}", file=sys.stderr)
    raise typer.Exit(cast("int", report["exit_code"]))


def shown(folder: Path) -> Path:
    """A path as a person at this prompt would type it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def summary(report: Mapping[str, Any]) -> str:
    """The counts of a run, in lines that a person reads from the top."""
    n, tokens, seconds = report["counts"], report["tokens"], report["seconds"]
    rows = ", ".join(f"{task} {rows:,}" for task, rows in n["rows"].items()) or "none"
    closing = sum(item["closes"] for item in report["sums"])
    lines = [
        f"run       {report['run_id']}",
        f"sources   {n['sources']:,} = {n['documents']:,} documents + {n['rejected_sources']:,} rejected",
        f"pages     {n['pages']:,} (segments {n['segments']:,}, chunks {n['chunks']:,})",
        f"answers   {n['generations']:,} = {n['records']:,} records + {n['rejected_answers']:,} rejected",
        f"rows      {rows}",
        f"tokens    {tokens['prompts']:,} in ({tokens['cached']:,} cached), {tokens['output']:,} out, "
        f"{tokens['per_second']:,.0f} a second",
        "seconds   " + ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in seconds.items()),
        f"sums      {closing} of {len(report['sums'])} close",
    ]
    lines += [f"rejected  {lost:,} x {code}: {RejectCode(code).advice}" for code, lost in report["rejects"].items()]
    return "\n".join(lines)
