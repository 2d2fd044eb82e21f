"""From a staging folder to committed partitions, so that a crash at any point is finished or undone.

A run writes below `.staging/<lane>/<run_id>/`. To commit, it first writes an intent file that holds the run report and
the size of every file, then renames each table's partition into place, then the report into `runs/`, and last removes
its staging folder: a run is committed when its report is there. `recover` finishes a commit whose intent was written,
and removes a staging folder without one. Each step is on the disk before one that relies on it is begun.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from pipeline.errors import OutputError
from pipeline.tables.staged import writing

STAGING = ".staging"
RUNS = "runs"
_INTENT = "commit.json"


class _Intent(BaseModel):
    """What a commit is going to do; with it, anyone can finish.

    Attributes:
        run_id: The run.
        tables: Files and their sizes in bytes, by table, in the order of publishing.
        report: The run report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run_id: str
    tables: dict[str, dict[str, int]]
    report: dict[str, JsonValue]


def staging_folder(output: Path, lane: str, run_id: str) -> Path:
    """Where a run writes before it is committed."""
    return output / STAGING / lane / run_id


def partition(run_id: str) -> str:
    """The name of a run's folder in each table."""
    return f"run={run_id}"


def report_path(output: Path, run_id: str) -> Path:
    """Where a run's report lies; the run is committed when it is there."""
    return output / RUNS / f"{run_id}.json"


def commit(output: Path, lane: str, run_id: str, tables: Sequence[str], report: dict[str, object]) -> Path:
    """Publish the staged tables of one run: after this, or after the next `recover`, all of them, or none.

    Args:
        output: The output folder.
        lane: The name of the lane that the run holds.
        run_id: The run.
        tables: Table names relative to the output folder, such as "records/contract", in the order of publishing;
            none: the run has nothing but a report.
        report: The run report, published last.

    Returns:
        The path of the report.

    Raises:
        OutputError: The folder cannot be written, or holds something under this run's name already.
    """
    staging = staging_folder(output, lane, run_id)
    with _writing_below(output):
        _refuse_overwriting(output, run_id, tables)
        staging.mkdir(parents=True, exist_ok=True)
        sizes = {table: _make_durable(staging / table) for table in tables}
        _write_whole(staging / _INTENT, staging, {"run_id": run_id, "tables": sizes, "report": report})
        _fsync_up(staging, output)
        return _publish(output, staging, _load_intent(staging))


def recover(output: Path, is_free: Callable[[str], bool]) -> list[str]:
    """Finish or undo what killed runs left.

    Args:
        output: The output folder.
        is_free: Says of a lane's name whether nobody holds it; what others stage is not touched.

    Returns:
        One sentence for each run, for the log.

    Raises:
        OutputError: The folder cannot be written, or what was left is damaged: the message says what and where.
    """
    said = []
    with _writing_below(output):
        for lane in sorted((output / STAGING).glob("*/")):
            if is_free(lane.name):
                said += [_mend(output, staging) for staging in sorted(lane.glob("*/"))]
                shutil.rmtree(lane)
    return said


def discard(output: Path, lane: str, run_id: str) -> None:
    """Remove what a run staged, unless its commit has begun: then the next start finishes it. Never raises."""
    staging = staging_folder(output, lane, run_id)
    if not (staging / _INTENT).exists():
        shutil.rmtree(staging, ignore_errors=True)
    with suppress(OSError):  # not empty: another start looks after it
        staging.parent.rmdir()


def _mend(output: Path, staging: Path) -> str:
    run_id = staging.name
    if report_path(output, run_id).exists():
        shutil.rmtree(staging)
        return f"Cleared away what the committed run {run_id} had left to remove."
    if (staging / _INTENT).exists():
        _publish(output, staging, _load_intent(staging))
        return f"Finished the commit of run {run_id}, which was cut off."
    shutil.rmtree(staging)
    return f"Removed what run {run_id} left: it ended before its commit."


def _refuse_overwriting(output: Path, run_id: str, tables: Sequence[str]) -> None:
    for place in [report_path(output, run_id), *(output / table / partition(run_id) for table in tables)]:
        if place.exists():
            message = f"Cannot commit run {run_id}: {place} is there already. Move it away, and run again."
            raise OutputError(message)


def _publish(output: Path, staging: Path, intent: _Intent) -> Path:
    """Rename what is not yet in place, then the report; doing it again from any point ends the same."""
    for table, sizes in intent.tables.items():
        place = output / table / partition(intent.run_id)
        _move(staging / table, place, sizes)
        _fsync_up(place.parent, output)
    path = report_path(output, intent.run_id)
    path.parent.mkdir(exist_ok=True)
    _write_whole(path, staging, intent.report)
    _fsync_up(path.parent, output)
    shutil.rmtree(staging)
    return path


def _move(staged: Path, place: Path, sizes: dict[str, int]) -> None:
    """Put one table's partition in place, unless it is there; never anything but what was promised."""
    is_staged = staged.exists()
    if is_staged and place.exists():
        message = f"Cannot finish a commit: {place} is there, and {staged} too. Move one of them away, and run again."
        raise OutputError(message)
    found = _sizes(staged if is_staged else place)
    if found != sizes:
        message = (
            f"Cannot finish a commit: {staged if is_staged else place} holds {_said(found)} instead of "
            f"{_said(sizes)}. Readers do not see that run. Restore the files. Or give the run up: remove its staging "
            f"folder and every folder {place.name}; the next run does its work again, with the answers in the journal."
        )
        raise OutputError(message)
    if is_staged:
        place.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(place)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file of a folder; nothing when there is no folder."""
    return {file.name: file.stat().st_size for file in sorted(folder.glob("*"))}


def _said(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} ({size:,} bytes)" for name, size in sizes.items()) or "nothing"


def _load_intent(staging: Path) -> _Intent:
    """Read back what a commit is going to do.

    Raises:
        OutputError: It is damaged.
    """
    path = staging / _INTENT
    try:
        intent = _Intent.model_validate(json.loads(path.read_bytes()))
        if intent.run_id != staging.name:
            raise ValueError(f"it names the run {intent.run_id!r}")
    except (ValueError, RecursionError) as error:
        message = (
            f"Cannot finish the commit of run {staging.name}: {path} is damaged ({_first_line(error)}). Readers do not "
            f"see that run. Restore the file. Or give the run up: remove {staging} and every folder "
            f"{partition(staging.name)}; the next run does its work again, with the answers in the journal."
        )
        raise OutputError(message) from error
    return intent


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _make_durable(folder: Path) -> dict[str, int]:
    """Bring a staged table to the disk; returns its files' sizes."""
    for file in folder.iterdir():
        _fsync(file)
    _fsync(folder)
    return _sizes(folder)


def _write_whole(path: Path, staging: Path, value: object) -> None:
    """Write JSON, whole or not at all; what a crash leaves of it lies in the staging folder."""
    temporary = staging / f".{path.name}.tmp"
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with writing(path):
        temporary.write_text(text, encoding="utf-8")
        _fsync(temporary)
        temporary.replace(path)


def _fsync_up(folder: Path, output: Path) -> None:
    """Bring the entries of a folder, and the way to it from the output folder, to the disk."""
    _fsync(folder)
    while folder != output:
        folder = folder.parent
        _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing_below(output: Path) -> Iterator[None]:
    """As `writing`, naming the file that it was about where the system says so."""
    try:
        yield
    except OSError as error:
        names = [str(name) for name in (error.filename2, error.filename) if name is not None]
        below = [Path(name) for name in names if Path(name).is_relative_to(output)]
        with writing([*below, output][0]):
            raise
