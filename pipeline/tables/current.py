"""What is in an output folder now: of each document the lines of the run that settled it last.

In: committed partitions. Out: views of tables, counted, to be read line by line. A run is committed when its report is
there; partitions of other runs are not looked at. Knows no job: the files bring their schemas.

The same in SQL, for one table of records (a further entry with the same doc_id, a duplicate, is settled on its own):
    select r.* from read_parquet('OUT/records/TASK/**/*.parquet') r join (select doc_id, max(run_id) run_id from
    read_parquet('OUT/sources/**/*.parquet') where occurrence = 0 group by doc_id) s
    on r._doc_id = s.doc_id and r._run_id = s.run_id
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import OutputError, RejectCode
from pipeline.tables.commit import RUNS, partition
from pipeline.tables.parquet import describe_damage, open_parquet

if TYPE_CHECKING:
    from pipeline.tables.state import State

_BATCH_LINES = 1_000
_COUNTED_LINES = 100_000
"""A batch of ids alone may be large: each batch hashes the ids that it is compared with anew."""
_DUPLICATE = RejectCode.SOURCE_DUPLICATE.value
_DUPLICATE_COLUMN = {"sources": ["occurrence"], "rejects": ["code"]}
"""What tells a line about a duplicate from one about the document whose doc_id it shares."""


@dataclass(frozen=True, slots=True)
class _Settled:
    """The doc_ids that one run was the last to settle: as documents, and as duplicates of a document."""

    documents: pa.Array
    duplicates: pa.Array


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of a table, and the doc_ids whose lines count; None: all lines."""

    path: Path
    table: str
    settled: _Settled | None

    def count(self) -> int:
        with _opened(self.path) as file:
            if self.settled is None:
                return int(file.metadata.num_rows)
            batches = file.iter_batches(_COUNTED_LINES, columns=self._telling)
            return sum(int(pc.sum(self._kept(batch)).as_py() or 0) for batch in batches)

    def lines(
        self, wanted: Callable[[str], bool], doc_ids: Collection[str] | None, n_at_once: int
    ) -> Iterator[dict[str, Any]]:
        only = None if doc_ids is None else pa.array(sorted(doc_ids), pa.string())
        with _opened(self.path) as file:
            names = [name for name in file.schema_arrow.names if wanted(name)]
            telling = [name for name in self._telling if name not in names]
            for batch in file.iter_batches(n_at_once, columns=[*names, *telling]):
                kept = batch if self.settled is None else batch.filter(self._kept(batch))
                if only is not None:
                    kept = kept.filter(pc.is_in(kept.column(self._telling[0]), value_set=only))
                yield from kept.select(names).to_pylist()

    def json_schema(self) -> str | None:
        with _opened(self.path) as file:
            text = (file.schema_arrow.metadata or {}).get(b"json_schema")
        return None if text is None else text.decode()

    @property
    def _telling(self) -> list[str]:
        """The columns that say whether a line counts."""
        if self.table.startswith("records/"):
            return ["_doc_id"]
        return ["doc_id", *_DUPLICATE_COLUMN.get(self.table, [])]

    def _kept(self, batch: pa.RecordBatch) -> pa.Array:
        assert self.settled is not None
        doc_ids, *tell = (batch.column(name) for name in self._telling)
        of_documents = pc.is_in(doc_ids, value_set=self.settled.documents)
        if not tell:
            return of_documents
        is_duplicate = pc.greater(tell[0], 0) if self.table == "sources" else pc.equal(tell[0], _DUPLICATE)
        return pc.if_else(is_duplicate, pc.is_in(doc_ids, value_set=self.settled.duplicates), of_documents)


@dataclass(frozen=True, slots=True)
class TableView:
    """The lines of a table that count.

    Attributes:
        name: Relative to the output folder, such as "records/contract".
        path: The table's folder, or its partition when the view is of one run.
        n_rows: Lines that count.
        n_runs: Runs that have at least one of them; 0 when there are none.
        size_bytes: Of all committed files of the table; of the partition when the view is of one run.
    """

    name: str
    path: Path
    n_rows: int
    n_runs: int
    size_bytes: int
    _parts: tuple[_Part, ...]

    def iter_rows(
        self,
        wanted: Callable[[str], bool] = lambda name: True,
        *,
        doc_ids: Collection[str] | None = None,
        n_at_once: int = _BATCH_LINES,
    ) -> Iterator[dict[str, Any]]:
        """The lines, earliest run first, in the order of its file; of the columns that are wanted, read lazily.

        Runs of a job whose schema has changed have different columns.

        Args:
            wanted: Says of a column's name whether it is read.
            doc_ids: Only the lines of these documents; None: all.
            n_at_once: Lines held in memory at most; few where each is large.

        Raises:
            OutputError: A file cannot be read.
        """
        for part in self._parts:
            yield from part.lines(wanted, doc_ids, n_at_once)

    def json_schemas(self) -> dict[str, str]:
        """Of a table of rows: the task's JSON Schema as text, by the run that wrote with it.

        Raises:
            OutputError: A file cannot be read.
        """
        found = {part.path.parent.name.removeprefix("run="): part.json_schema() for part in self._parts}
        return {run_id: text for run_id, text in found.items() if text is not None}


def list_runs(output: Path) -> list[str]:
    """The committed runs of a folder, earliest first; their ids sort by time."""
    return sorted(path.stem for path in (output / RUNS).glob("*.json") if not path.name.startswith("."))


def load_current(output: Path, runs: list[str]) -> dict[str, TableView]:
    """The current lines of each table, by table name in alphabetical order.

    Args:
        output: The folder.
        runs: Its committed runs, from `list_runs`.

    Raises:
        OutputError: A file cannot be read.
    """
    settled = _settled_by(output, runs)
    views = {}
    for name in _tables(output, runs):
        files = {run: _files(output / name, run) for run in runs}
        parts = [_Part(path, name, settled[run]) for run in runs if run in settled for path in files[run]]
        views[name] = _view(name, output / name, parts, [path for run in runs for path in files[run]])
    return views


def load_run(output: Path, run_id: str) -> dict[str, TableView]:
    """All lines that one committed run wrote, by table name; tables it did not write to are not there.

    Raises:
        OutputError: A file cannot be read.
    """
    views = {}
    for name in _tables(output, [run_id]):
        files = _files(output / name, run_id)
        parts = [_Part(path, name, None) for path in files]
        views[name] = _view(name, output / name / partition(run_id), parts, files)
    return views


def doc_ids_with_rejects(state: State, codes: Collection[RejectCode]) -> frozenset[str]:
    """Documents of which something is lost now: the source, an answer or a row.

    Args:
        state: The folder's settled sources.
        codes: Only what was lost for one of these reasons; empty: whatever was lost.

    Raises:
        OutputError: A file cannot be read.
    """
    found = set()
    for path in state.partitions("rejects"):
        lines = _read(path, ["doc_id", "code", "run_id"])
        lines = lines.filter(pc.not_equal(lines["code"], _DUPLICATE))
        if codes:
            lines = lines.filter(pc.is_in(lines["code"], value_set=pa.array([code.value for code in codes])))
        for line in lines.group_by(["doc_id", "run_id"]).aggregate([]).to_pylist():
            settled = state.find(line["doc_id"], 0)
            if settled is not None and settled.run_id == line["run_id"]:
                found.add(line["doc_id"])
    return frozenset(found)


def _settled_by(output: Path, runs: list[str]) -> dict[str, _Settled]:
    """What each run was the last to settle; a run that settled nothing that still counts is not there."""
    files = [path for run in runs for path in _files(output / "sources", run)]
    tables = [_read(path, ["doc_id", "occurrence", "run_id"]) for path in files]
    if not tables:
        return {}
    last = pa.concat_tables(tables).group_by(["doc_id", "occurrence"]).aggregate([("run_id", "max")])
    is_duplicate = pc.greater(last["occurrence"], 0)
    documents = _by_run(last.filter(pc.invert(is_duplicate)))
    duplicates = _by_run(last.filter(is_duplicate))
    none = pa.array([], pa.string())
    return {run: _Settled(documents.get(run, none), duplicates.get(run, none)) for run in {*documents, *duplicates}}


def _by_run(last: pa.Table) -> dict[str, pa.Array]:
    by_run = last.group_by("run_id_max").aggregate([("doc_id", "list")])
    doc_ids = by_run["doc_id_list"]
    return {run: doc_ids[i].values for i, run in enumerate(by_run["run_id_max"].to_pylist())}


def _tables(output: Path, runs: list[str]) -> list[str]:
    """Tables that one of the runs wrote to, by name."""
    wanted = {partition(run) for run in runs}
    found = [*output.glob(f"*/{partition('*')}"), *output.glob(f"records/*/{partition('*')}")]
    return sorted({path.parent.relative_to(output).as_posix() for path in found if path.name in wanted})


def _files(table: Path, run: str) -> list[Path]:
    return sorted((table / partition(run)).glob("*.parquet"))


def _view(name: str, path: Path, parts: list[_Part], files: list[Path]) -> TableView:
    n_rows, partitions = 0, set()
    for part in parts:
        n_lines = part.count()
        n_rows += n_lines
        if n_lines:
            partitions.add(part.path.parent)
    size_bytes = sum(file.stat().st_size for file in files)
    return TableView(name, path, n_rows, len(partitions), size_bytes, tuple(parts))


def _read(path: Path, columns: list[str]) -> pa.Table:
    with _opened(path, columns) as file:
        return file.read(columns=columns)


@contextmanager
def _opened(path: Path, columns: Collection[str] = ()) -> Iterator[pq.ParquetFile]:
    """A committed file: that it is gone is damage, too."""
    try:
        with open_parquet(path, list(columns)) as file:
            yield file
    except FileNotFoundError as error:
        raise OutputError(describe_damage(path, error)) from error
