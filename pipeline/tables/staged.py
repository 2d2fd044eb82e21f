"""One table of a run while it is written: lines in, in the order documents finish; a Parquet file in source order out.

Lines go to a spool beside the table's file, and `close` gathers them from there, sorted. Only two numbers a line stay
in memory. The finished file depends on its lines and their order alone, not on when each of them came.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import OutputError
from pipeline.tables.layout import Line
from pipeline.tables.parquet import FORM

Convert = Callable[[list[Line]], pa.RecordBatch]
Numbers = NDArray[np.int64]

_GROUP_LINES = 2_000
_GROUP_BYTES = 16 << 20
_SPOOL_BYTES = 4 << 20  # smaller than the table's own groups: a gathered group touches many of them
_CACHE_BYTES = 8 << 20
_MOST_BYTES = 2**31 - 1


class StagedTable:
    """Lines of one table. The file appears with `close`; until then there is only `<file>.spool`.

    Attributes:
        path: The Parquet file.
        n_lines: Lines appended so far.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        metadata: Mapping[str, str],
        convert: Convert | None = None,
        constants: Mapping[str, str] | None = None,
    ) -> None:
        """Open the spool.

        Args:
            path: The file; its folder is made.
            schema: Its columns.
            metadata: Goes into the file beside the schema's own.
            convert: Lines to a batch of the schema; None: by the schema as it is.
            constants: Columns that have the same value in every line.

        Raises:
            OutputError: It cannot be written; so too from `append` and `close`.
        """
        self.path = path
        self.n_lines = 0
        schema = schema.with_metadata({**(schema.metadata or {}), **metadata})
        self._schema = schema
        self._convert = convert or (lambda lines: pa.RecordBatch.from_pylist(lines, schema=schema))
        self._spool = path.with_name(f"{path.name}.spool")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without the Arrow schema, dictionaries come back as plain strings: theirs is the order of arrival.
            self._writer = pq.ParquetWriter(self._spool, schema, store_schema=False, **FORM)
        self._constants = dict(constants or {})
        self._lines: list[Line] = []
        self._size_bytes = 0
        self._ordinals, self._sizes, self._starts = array("q"), array("i"), array("q", [0])

    def append(self, line: Line, ordinal: int, size_bytes: int = 0) -> None:
        """Add one line.

        Args:
            line: Its values, without the constants.
            ordinal: Where it stands in the finished file: index of its source in the job's list, from 0. Lines of one
                source keep the order in which they are appended.
            size_bytes: Its rough size where it may be large: bounds what is held in memory, and row groups.
        """
        self._lines.append({**line, **self._constants})
        self._ordinals.append(ordinal)
        self._sizes.append(min(size_bytes, _MOST_BYTES))
        self._size_bytes += size_bytes
        self.n_lines += 1
        if len(self._lines) >= _GROUP_LINES or self._size_bytes >= _SPOOL_BYTES:
            self._flush()

    def close(self) -> None:
        """Write the file and remove the spool; safe to call twice."""
        if not self._writer.is_open:
            return
        self._flush()
        with writing(self.path):
            self._writer.close()
            with (
                pq.ParquetFile(self._spool) as file,
                pq.ParquetWriter(self.path, self._schema, write_page_index=True, **FORM) as writer,
            ):
                spool = _Spool(file, np.array(self._starts))
                for rows in self._iter_groups():
                    writer.write_table(spool.gather(rows).cast(self._schema))
            self._spool.unlink()
        pa.default_memory_pool().release_unused()  # the next table's turn

    def count_written(self) -> int:
        """Lines that the closed file really holds, as its footer says."""
        return int(pq.read_metadata(self.path).num_rows)

    def _flush(self) -> None:
        """Write what is held as a row group of the spool."""
        if self._lines:
            batch = self._convert(self._lines)
            with writing(self.path):
                self._writer.write_batch(batch.replace_schema_metadata(self._schema.metadata))
            self._starts.append(self.n_lines)
            self._lines, self._size_bytes = [], 0

    def _iter_groups(self) -> Iterator[Numbers]:
        """The lines of each row group of the finished file, as their numbers in the spool."""
        order = np.argsort(np.array(self._ordinals), kind="stable")
        sizes = np.array(self._sizes)
        start = 0
        while start < len(order):
            rows = order[start : start + _GROUP_LINES]
            n_rows = int(np.searchsorted(np.cumsum(sizes[rows], dtype=np.int64), _GROUP_BYTES)) + 1
            yield rows[:n_rows]
            start += min(n_rows, len(rows))


class _Spool:
    """Lines of the spool by their number, from row groups of which few are held."""

    def __init__(self, file: pq.ParquetFile, starts: Numbers) -> None:
        """`starts`: the first line of each row group, and the number of all lines."""
        self._file, self._starts = file, starts
        self._held: OrderedDict[int, pa.Table] = OrderedDict()

    def gather(self, rows: Numbers) -> pa.Table:
        """The lines with these numbers, in this order; each row group is read at most once for it."""
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        by_group = np.argsort(groups, kind="stable")
        borders = np.flatnonzero(np.diff(groups[by_group])) + 1
        parts = []
        for places in np.split(by_group, borders):
            group = int(groups[places[0]])
            parts.append(_choose(self._read(group), rows[places] - self._starts[group]))
        found = np.empty_like(by_group)
        found[by_group] = np.arange(len(rows))
        # Taken even where they stand in order: the bytes of the file must not tell in which order they came.
        return pa.concat_tables(parts).combine_chunks().take(pa.array(found)).combine_chunks()

    def _read(self, group: int) -> pa.Table:
        table = self._held.pop(group, None)
        if table is None:
            # by one thread: each of several keeps memory of its own, and there is little to read
            table = self._file.read_row_group(group, use_threads=False).combine_chunks()
        self._held[group] = table
        while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > _CACHE_BYTES:
            self._held.popitem(last=False)
        return table


def _choose(table: pa.Table, rows: Numbers) -> pa.Table:
    """These rows, in this order; without a copy where they follow each other, since documents come nearly in order."""
    first, n_rows = int(rows[0]), len(rows)
    if int(rows[-1]) - first == n_rows - 1 and bool(np.all(np.diff(rows) == 1)):
        return table.slice(first, n_rows)
    return table.combine_chunks().take(pa.array(rows))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing (disk full, permissions) into an OutputError that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"Cannot write {path}: {reason}. Free space or mend the permissions, and run again; nothing is lost."
        raise OutputError(message) from error
