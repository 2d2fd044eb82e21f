"""From a staging folder to committed partitions, so that a crash at any point is finished or undone.

A run writes below `.staging/<run_id>/`. To commit, it first writes an intent file that holds the run report, then
renames each table's partition into place, and last puts the report in `runs/`: a run is committed when its report is
there. `recover` finishes a commit whose intent was written and removes a staging folder without one.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

STAGING = ".staging"
_INTENT = "commit.json"


def staging_folder(output: Path, run_id: str) -> Path:
    """Where a run writes before it is committed."""
    return output / STAGING / run_id


def partition(run_id: str) -> str:
    """The name of a run's folder in each table."""
    return f"run={run_id}"


def commit(output: Path, run_id: str, tables: list[str], report: dict[str, object]) -> Path:
    """Publish the staged tables of one run.

    Args:
        output: The output folder.
        run_id: The run.
        tables: Table names relative to the output folder, such as "records/contract", in the order of publishing.
        report: The run report, written last.

    Returns:
        The path of the report.
    """
    staging = staging_folder(output, run_id)
    for file in staging.rglob("*.parquet"):
        _fsync(file)
    intent: dict[str, object] = {"run_id": run_id, "tables": tables, "report": report}
    _write_json(staging / _INTENT, intent)
    return _publish(output, staging, intent)


def recover(output: Path) -> list[str]:
    """Finish or undo what a killed run left; returns one sentence for each, for the log."""
    said = []
    for staging in sorted((output / STAGING).glob("*/")):
        intent = staging / _INTENT
        if intent.exists():
            _publish(output, staging, json.loads(intent.read_text(encoding="utf-8")))
            said.append(f"Finished the commit of run {staging.name}, which was cut off.")
        else:
            shutil.rmtree(staging)
            said.append(f"Removed what run {staging.name} left: it ended before its commit.")
    return said


def discard(output: Path, run_id: str) -> None:
    """Remove what a run staged, unless its commit has begun: then the next start finishes it."""
    staging = staging_folder(output, run_id)
    if not (staging / _INTENT).exists():
        shutil.rmtree(staging, ignore_errors=True)


def _publish(output: Path, staging: Path, intent: dict[str, object]) -> Path:
    """Rename what is not yet in place, then the report; doing it again changes nothing."""
    run_id, tables = str(intent["run_id"]), intent["tables"]
    assert isinstance(tables, list)
    for table in tables:
        staged, place = staging / table, output / table / partition(run_id)
        if staged.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            staged.rename(place)
            _fsync(place.parent)
    path = output / "runs" / f"{run_id}.json"
    path.parent.mkdir(exist_ok=True)
    _write_json(path, intent["report"])
    shutil.rmtree(staging)
    return path


def _write_json(path: Path, value: object) -> None:
    """Whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _fsync(temporary)
    temporary.replace(path)
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
