"""What an output folder says of each source: the last line that a committed run wrote about it in `sources/`.

A run is committed when its report is there; nothing is read of the partitions of other runs. Run ids sort by time, so
the line of the greatest run id is the last.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import OutputError
from pipeline.tables.commit import RUNS, partition, report_path
from pipeline.tables.layout import SOURCES
from pipeline.tables.lines import Outcome
from pipeline.tables.parquet import describe_damage, open_parquet

_COLUMNS = [name for name in SOURCES.names if name != "why"]
_FEW_VALUES = ("outcome", "code", "fingerprint", "engine", "run_id")
_ADDED = ("n_cited", "n_verified")
"""Columns that the files of earlier versions lack: 0 there."""
_BATCH_LINES = 10_000
_LINES = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in _FEW_VALUES else field
        for field in map(SOURCES.field, _COLUMNS)
    ]
)


@dataclass(frozen=True, slots=True)
class Settled:
    """How a source was settled last; the attributes are columns of `sources/`, as `lines.SettledSource` tells."""

    doc_id: str
    occurrence: int
    doc_key: str | None
    uri: str
    entry_hash: str
    outcome: Outcome
    code: str | None
    n_chunks: int
    n_prompts: int
    n_rejected_answers: int
    n_cited: int
    n_verified: int
    fingerprint: str
    engine: str
    run_id: str


class State:
    """An output folder as its committed runs left it.

    Attributes:
        runs: Ids of the committed runs, in their order.
    """

    def __init__(self, folder: Path, runs: list[str], lines: pa.Table) -> None:
        """`lines`: those of the runs in `sources/`, in the order of the runs; see `load_state`."""
        self.runs = runs
        self._folder = folder
        lines, hashes = _last_of_each(lines)
        self._columns = [lines.column(name).combine_chunks() for name in _COLUMNS]
        self._cells = [_cells(column) for column in self._columns]
        outcomes = _iter_values(lines.column("outcome"))
        self._present = np.flatnonzero(np.fromiter((x != Outcome.REMOVED for x in outcomes), bool, len(lines)))
        self._rows = np.argsort(hashes)
        self._hashes = hashes[self._rows]

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, doc_id: str, occurrence: int) -> Settled | None:
        """How this source was settled last, be it that it was removed; None when it never was."""
        wanted = hash((doc_id, occurrence))
        position = int(self._hashes.searchsorted(wanted))
        while position < len(self._hashes) and self._hashes[position] == wanted:
            settled = self._settled(int(self._rows[position]))
            if (settled.doc_id, settled.occurrence) == (doc_id, occurrence):
                return settled
            position += 1
        return None

    def iter_present(self) -> Iterator[Settled]:
        """Every source that is not removed, in no order that means anything."""
        yield from (self._settled(int(row)) for row in self._present)

    def iter_duplicates(self) -> Iterator[Settled]:
        """Of `iter_present` the further entries with the same doc_id."""
        column = self._columns[_COLUMNS.index("occurrence")].take(_numbers(self._present))
        occurrences = np.fromiter(_iter_values(column), np.int32, len(column))
        yield from (self._settled(int(row)) for row in self._present[occurrences > 0])

    def doc_ids(self) -> list[str]:
        """Every document that is not removed, each once, whatever became of it."""
        doc_ids: list[str] = pc.unique(self._columns[0].take(_numbers(self._present))).to_pylist()
        return doc_ids

    def fingerprints(self) -> list[str]:
        """Every version of the job that settled a source that is not removed, each once."""
        column = self._columns[_COLUMNS.index("fingerprint")]
        fingerprints: list[str] = pc.unique(column.take(_numbers(self._present))).to_pylist()
        return fingerprints

    def report(self, run_id: str) -> dict[str, Any]:
        """The report of a committed run.

        Raises:
            OutputError: It is damaged, or was taken away.
        """
        path = report_path(self._folder, run_id)
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise OutputError(describe_damage(path, error)) from error
        if not isinstance(report, dict):
            raise OutputError(f"{path} is not the report of a run: it holds {type(report).__name__}, not an object.")
        return report

    def partitions(self, table: str) -> list[Path]:
        """The files of a table, such as "responses" or "records/contract", of the committed runs, in their order."""
        return [file for run_id in self.runs for file in _files(self._folder, table, run_id)]

    def _settled(self, row: int) -> Settled:
        values = dict(zip(_COLUMNS, (cell(row) for cell in self._cells), strict=True))
        values["outcome"] = Outcome(values["outcome"])
        return Settled(**values)


def load_state(folder: Path, belongs: Callable[[str], bool] = lambda doc_id: True) -> State:
    """Read what the committed runs of an output folder settled.

    Args:
        folder: The output folder; it need not be there.
        belongs: Which doc_ids to keep: those of a shard.

    Raises:
        OutputError: A file of `sources/` is damaged. (A damaged report is told when it is asked for.)
    """
    runs = sorted(path.stem for path in (folder / RUNS).glob("*.json") if not path.name.startswith("."))
    files = [file for run_id in runs for file in _files(folder, "sources", run_id)]
    lines = [pa.Table.from_batches([], _LINES), *(_load_lines(file, belongs) for file in files)]
    return State(folder, runs, pa.concat_tables(lines).unify_dictionaries())


def _files(folder: Path, table: str, run_id: str) -> list[Path]:
    return sorted((folder / table / partition(run_id)).glob("*.parquet"))


def _load_lines(path: Path, belongs: Callable[[str], bool]) -> pa.Table:
    always = [name for name in _COLUMNS if name not in _ADDED]
    with open_parquet(path, always, _FEW_VALUES) as file:
        lines = file.read(columns=_COLUMNS, use_threads=False)
    for name in _ADDED:
        if name not in lines.column_names:
            lines = lines.append_column(name, pa.array([0] * len(lines), pa.int32()))
    lines = lines.select(_COLUMNS).cast(_LINES)
    belonging = np.fromiter(map(belongs, _iter_values(lines.column("doc_id"))), bool, len(lines))
    return _keep(lines, belonging)


def _last_of_each(lines: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """The last line of each (doc_id, occurrence), and the hashes of these pairs."""
    sources = zip(_iter_values(lines.column("doc_id")), _iter_values(lines.column("occurrence")), strict=True)
    hashes = np.fromiter(map(hash, sources), np.int64, len(lines))
    order = np.argsort(hashes, kind="stable")
    first = np.flatnonzero(hashes[order][:-1] == hashes[order][1:])
    earlier, later = (lines.select(["doc_id", "occurrence"]).take(_numbers(order[first + step])) for step in (0, 1))
    again = pc.and_(*(pc.equal(earlier.column(name), later.column(name)) for name in earlier.column_names))
    last = np.ones(len(lines), bool)
    last[order[first[np.fromiter(_iter_values(again), bool, len(first))]]] = False
    return _keep(lines, last), hashes[last]


def _keep(lines: pa.Table, kept: NDArray[np.bool_]) -> pa.Table:
    return lines if kept.all() else lines.take(_numbers(np.flatnonzero(kept)))


def _cells(column: pa.Array) -> Callable[[int], Any]:
    """Gives one value of a column by its row. Of a dictionary it is looked up here, six times as fast as by Arrow."""
    if not pa.types.is_dictionary(column.type):
        return lambda row: column[row].as_py()
    values = [*column.dictionary.to_pylist(), None]
    last = len(values) - 1
    indices = array("i", (last if index is None else index for index in _iter_values(column.indices)))
    return lambda row: values[indices[row]]


def _numbers(values: NDArray[np.int64]) -> pa.Array:
    """As Arrow's; `pa.array` would do it too, but not before it has imported pandas."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def _iter_values(column: pa.Array | pa.ChunkedArray) -> Iterator[Any]:
    """The values as Python's, few at a time."""
    for start in range(0, len(column), _BATCH_LINES):
        yield from column.slice(start, _BATCH_LINES).to_pylist()
