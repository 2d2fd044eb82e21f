"""The journal: lines that must survive a crash, in small immutable Parquet parts, written while a run goes on.

A part is written under a hidden name, synced and renamed: a reader sees all of it or none. At most what was appended
since the last flush is lost with a killed run. Parts are dropped when a commit has left nothing of
them open.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables.layout import Line
from pipeline.tables.parquet import FORM
from pipeline.tables.staged import writing

_MOST_BYTES = 16 << 20


class Journal:
    """What one run appends to one folder of the journal.

    Attributes:
        n_lines: Lines appended so far.
        n_parts: Parts written so far.
    """

    def __init__(
        self, folder: Path, name: str, schema: pa.Schema, run: str, max_lines: int, max_seconds: float
    ) -> None:
        """Make the folder of the parts.

        Args:
            folder: The folder of all journals.
            name: What this one holds, and the name of its folder there: "answers", "documents".
            schema: Columns of a line.
            run: Lane and run, the first part of the names of its parts: "whole.20261122T054916Z-688772".
            max_lines: Most lines that are held before they are written.
            max_seconds: Longest time, in seconds, that a line is held before `tick` writes it.

        Raises:
            OutputError: The folder cannot be written; so too from `append`, `tick` and `flush`, which may be called
                again: what was held is still held.
        """
        self.n_lines = 0
        self.n_parts = 0
        self._number = 0
        self._folder, self._schema, self._run = folder / name, schema, run
        self._max_lines, self._max_seconds = max_lines, max_seconds
        self._held: list[Line] = []
        self._held_bytes = 0
        self._oldest_s = 0.0
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def append(self, line: Line, size_bytes: int = 0) -> None:
        """Add one line. `size_bytes` is its rough size where it may be large: 16 MB are not held but written."""
        if not self._held:
            self._oldest_s = time.monotonic()
        self._held.append(line)
        self._held_bytes += size_bytes
        self.n_lines += 1
        if len(self._held) >= self._max_lines or self._held_bytes >= _MOST_BYTES:
            self.flush()

    def tick(self) -> None:
        """Write what is held if it was held too long; to be called often, also when nothing is appended."""
        if self._held and time.monotonic() - self._oldest_s >= self._max_seconds:
            self.flush()

    def flush(self) -> None:
        """Write what is held as one part: when this returns it survives a crash of the machine."""
        if not self._held:
            return
        table = pa.Table.from_pylist(self._held, schema=self._schema)
        path = self._next_path()
        with writing(path):
            _write_whole(table, path)
        self.n_parts += 1
        self._held, self._held_bytes = [], 0

    def _next_path(self) -> Path:
        """The first number that is not taken: no part is ever overwritten, also when a run's name comes again."""
        while (path := self._folder / f"{self._run}.{self._number:06d}.parquet").exists():
            self._number += 1
        return path


def list_parts(folder: Path) -> list[Path]:
    """The parts in a folder of the journal, by name; none when there is no folder."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))


def clean(folder: Path, lane: str | None = None) -> int:
    """Remove half-written parts that killed runs left; returns how many.

    Args:
        folder: The folder of one journal.
        lane: Only those of this lane; None: all. The caller holds the lock, so that none of them is being written.

    Raises:
        OutputError: One cannot be removed.
    """
    left = [path for path in folder.glob(".*.tmp") if lane is None or path.name.startswith(f".{lane}.")]
    with writing(folder):
        for path in left:
            path.unlink(missing_ok=True)
    return len(left)


def drop(folder: Path, lane: str | None = None) -> int:
    """Remove the parts whose lines stand in committed tables; returns how many.

    Args:
        folder: The folder of one journal.
        lane: Only those of this lane; None: all. The caller holds its lock and has left nothing open.

    Raises:
        OutputError: One cannot be removed.
    """
    done = [path for path in list_parts(folder) if lane is None or path.name.startswith(f"{lane}.")]
    with writing(folder):
        for path in done:
            path.unlink(missing_ok=True)
    return len(done)


def _write_whole(table: pa.Table, path: Path) -> None:
    """Under a hidden name, synced, renamed, the folder synced: also after a power cut the part is whole or absent."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, **FORM)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # what it takes may be the space that is missing
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
