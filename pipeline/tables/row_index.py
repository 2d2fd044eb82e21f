"""Find a row of many Parquet files by its key, without holding the rows: answers and documents that are there already.

In: files whose key column holds hashes as hex digits. Held: 24 bytes a key, and the few row groups used last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import OutputError
from pipeline.tables.layout import Line
from pipeline.tables.parquet import open_parquet

_KEY_DIGITS = 32
_CACHE_BYTES = 64 << 20
_NO_DIGIT = 255
_DIGIT_VALUES = np.full(256, _NO_DIGIT, np.uint8)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _DIGIT_VALUES[_digit] = _value

_PLACE = np.dtype([("high", np.uint64), ("low", np.uint64), ("file", np.int32), ("row", np.int32)])
Places = NDArray[np.void]


class RowIndex:
    """Rows by key. Two threads may ask at the same time.

    `len` is the number of distinct keys, of which the first 32 digits count. A key that is there more than once stands
    for its last row in the last file that has it.
    """

    def __init__(self, files: Sequence[Path], key_column: str, columns: Sequence[str] | None = None) -> None:
        """Read the keys.

        Args:
            files: The files; one that is not there any more is left out.
            key_column: The column that holds the keys: lower-case hex digits, at least 32.
            columns: Columns of the lines that `find` gives; None: all.

        Raises:
            OutputError: A file is damaged, or its keys are not such keys.
        """
        self._files, self._columns = list(files), list(columns) if columns is not None else None
        self._group_ends: dict[int, list[int]] = {}
        self._held: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._held_bytes = 0
        self._lock = Lock()
        found = [places for number in range(len(self._files)) for places in self._iter_places(number, key_column)]
        places = np.concatenate(found) if found else np.empty(0, _PLACE)
        self._high, self._low, self._file, self._row = _sort(places)

    def __len__(self) -> int:
        return len(self._high)

    def __contains__(self, key: str) -> bool:
        return self._position(key) is not None

    def find(self, key: str) -> Line | None:
        """The line with this key; None when there is none, or when its file was removed since.

        Raises:
            OutputError: Its file was damaged.
            ValueError: The key is not 32 hex digits or more.
        """
        position = self._position(key)
        if position is None:
            return None
        file, row = int(self._file[position]), int(self._row[position])
        ends = self._group_ends[file]
        group = bisect_right(ends, row)
        try:
            table = self._read(file, group)
        except FileNotFoundError:
            return None
        line = table.slice(row - (ends[group - 1] if group else 0), 1).to_pylist()[0]
        return cast("Line", line)

    def _position(self, key: str) -> int | None:
        if len(key) < _KEY_DIGITS:
            raise ValueError(f"{key!r} is not a key of {_KEY_DIGITS} hex digits or more")
        high, low = np.uint64(int(key[:16], 16)), np.uint64(int(key[16:32], 16))
        position = int(self._high.searchsorted(high))
        while position < len(self._high) and self._high[position] == high:
            if self._low[position] == low:
                return position
            position += 1
        return None

    def _read(self, file: int, group: int) -> pa.Table:
        """A row group, from those held if it is among them."""
        with self._lock:
            table = self._held.get((file, group))
            if table is not None:
                self._held.move_to_end((file, group))
                return table
            with open_parquet(self._files[file], self._columns) as parquet:
                table = parquet.read_row_group(group, columns=self._columns).combine_chunks()
            self._held[file, group] = table
            self._held_bytes += table.nbytes
            while len(self._held) > 1 and self._held_bytes > _CACHE_BYTES:
                _, oldest = self._held.popitem(last=False)
                self._held_bytes -= oldest.nbytes
        return table

    def _iter_places(self, number: int, key_column: str) -> Iterator[Places]:
        """Keys and places of one file, a row group at a time; nothing when it is not there."""
        path = self._files[number]
        try:
            with open_parquet(path, [key_column, *(self._columns or ())]) as parquet:
                sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
                self._group_ends[number] = list(accumulate(sizes))
                for group, end in enumerate(self._group_ends[number]):
                    keys = parquet.read_row_group(group, columns=[key_column]).column(0)
                    places = np.empty(len(keys), _PLACE)
                    places["high"], places["low"] = _parse_keys(keys, path)
                    places["file"], places["row"] = number, np.arange(end - len(keys), end)
                    yield places
        except FileNotFoundError:
            return


def _parse_keys(keys: pa.ChunkedArray, path: Path) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The first and the second 16 digits of each key, as numbers."""
    digits = np.frombuffer(b"", np.uint8)
    if len(keys) and not keys.null_count and pc.min(pc.binary_length(keys)).as_py() >= _KEY_DIGITS:
        cut = pc.binary_slice(keys.combine_chunks().cast(pa.large_binary()), 0, _KEY_DIGITS)
        digits = np.frombuffer(cut.buffers()[2], np.uint8, len(keys) * _KEY_DIGITS)
    values = _DIGIT_VALUES[digits]
    if len(values) != len(keys) * _KEY_DIGITS or (values == _NO_DIGIT).any():
        raise OutputError(f"{path} holds keys that are not {_KEY_DIGITS} hex digits or more: it was not written by us.")
    numbers = (values[::2] << 4 | values[1::2]).view(">u8").astype(np.uint64)
    return numbers[::2], numbers[1::2]


def _sort(
    places: Places,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32]]:
    """By key, the last of each; the columns apart, since searching needs the first one alone."""
    order = np.lexsort((places["low"], places["high"]))
    high, low = places["high"][order], places["low"][order]
    last = np.ones(len(order), bool)
    last[:-1] = (high[:-1] != high[1:]) | (low[:-1] != low[1:])
    return high[last], low[last], places["file"][order[last]], places["row"][order[last]]
