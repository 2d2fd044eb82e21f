"""The folder of a report: written beside its place and renamed into it, so that the report there is always a whole one.

A report lists its own files in REPORT. A folder that holds anything else is never replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import OutputError, TryAgainError
from pipeline.tables.staged import writing

REPORT = "report.json"
_WHAT = "a report of pipeline: written anew as a whole, so keep nothing of your own in this folder"
_MOST_NAMED = 3


class ReportFolder:
    """A report while it is written.

    Attributes:
        folder: Where it is written: beside the place that it will have.
        files: Names of its files so far, relative to it.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is there and empty."""
        self.folder = folder
        self.files: list[str] = []

    def write(self, name: str, text: str) -> None:
        """Write one file.

        Raises:
            OutputError: It cannot be written.
        """
        path = self.folder / name
        with writing(path):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode("utf-8", "replace"))
        self.files.append(name)


@contextmanager
def replace_report(target: Path) -> Iterator[ReportFolder]:
    """Write a report that takes the place of the one in `target` when the block ends well; else nothing changes.

    Raises:
        OutputError: `target` holds something else, or cannot be written.
        TryAgainError: Another process writes a report beside it.
    """
    target = target.absolute()
    new, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target), writing(target):
        _check_ours(old)
        _mend(target, new, old)
        _check_ours(target)
        new.mkdir()
        try:
            report = ReportFolder(new)
            report.write(REPORT, "")
            yield report
            report.write(REPORT, json.dumps({"what": _WHAT, "files": sorted(set(report.files))}, indent=0))
            if target.exists():
                target.rename(old)
            new.rename(target)
        finally:
            _mend(target, new, old)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the folder above; the system lets go of it when this process ends, however it ends."""
    with writing(target):
        above = os.open(target.parent, os.O_RDONLY)
    try:
        _lock(above, target.parent)
        yield
    finally:
        os.close(above)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TryAgainError(f"Another process writes a report in {folder}. Try again when it is done.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"{folder} cannot be locked: {reason}. Write the report to another file system with --to."
        raise OutputError(message) from error


def _mend(target: Path, new: Path, old: Path) -> None:
    """Undo what did not come to its end, and remove what has been replaced."""
    if new.is_dir() and ((new / REPORT).is_file() or not any(new.iterdir())):
        shutil.rmtree(new)
    if old.is_dir() and not target.exists():
        old.rename(target)
    elif old.is_dir() and (target / REPORT).is_file():
        shutil.rmtree(old)


def _check_ours(folder: Path) -> None:
    """See that a folder, if it is there, is empty or holds a report and nothing else.

    Raises:
        OutputError: It holds something else.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise OutputError(f"{folder} is not a folder; a report must be one. Name another with --to, or move it away.")
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    }
    if foreign := sorted(found - _listed(folder)):
        more = f" and {len(foreign) - _MOST_NAMED} more" if len(foreign) > _MOST_NAMED else ""
        names = ", ".join(map(repr, foreign[:_MOST_NAMED])) + more
        message = f"{folder} holds {names}, which no report wrote, and a report is replaced as a whole. "
        raise OutputError(message + "Name another folder with --to, or move them away.")


def _listed(folder: Path) -> set[str]:
    """The files that the report in a folder says it wrote; none when there is no report."""
    try:
        written = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        return set(written["files"]) if written["what"] == _WHAT else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
