"""The output folder of a job, held by one run: its staged tables, and their commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from pipeline.errors import TryAgainError
from pipeline.tables.commit import commit, discard, recover, staging_folder
from pipeline.tables.layout import DOCUMENTS, LINEAGE, REJECTS, RESPONSES, Line, carried
from pipeline.tables.staged import StagedTable, writing

ToArrow = Callable[[list[dict[str, object]], pa.Schema], pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Tables:
    """What the tables of a job are made for.

    Attributes:
        record_schemas: The Arrow form of each task's schema, by task name.
        carried_columns: Names of the manifest columns that go along.
        metadata: Goes into every file: job, fingerprints, versions.
        to_arrow: Converts values of a record schema to Arrow.
    """

    record_schemas: Mapping[str, pa.Schema]
    carried_columns: Sequence[str]
    metadata: Mapping[str, str]
    to_arrow: ToArrow


class RunOutput:
    """The tables of one run, staged until `commit`.

    Attributes:
        folder: The output folder.
        run_id: The run.
        recovered: What a killed run had left here, and what was done about it.
    """

    def __init__(self, folder: Path, run_id: str, tables: Tables, recovered: list[str]) -> None:
        self.folder, self.run_id, self.recovered = folder, run_id, recovered
        extra = carried(tables.carried_columns)
        metadata = {**tables.metadata, "run_id": run_id}
        self._staging = staging_folder(folder, run_id)
        self.documents = self._stage("documents", pa.schema([*DOCUMENTS, *extra]), metadata)
        self.responses = self._stage("responses", RESPONSES, metadata)
        self.rejects = self._stage("rejects", REJECTS, metadata)
        self.records: dict[str, StagedTable] = {}
        for task, own in tables.record_schemas.items():
            lineage = pa.schema([*LINEAGE, *extra])
            schema = pa.schema([*own, *lineage], metadata=own.metadata)
            convert = _record_converter(own, lineage, tables.to_arrow)
            self.records[task] = self._stage(f"records/{task}", schema, metadata, convert)

    def _stage(
        self,
        name: str,
        schema: pa.Schema,
        metadata: Mapping[str, str],
        convert: Callable[[list[Line]], pa.RecordBatch] | None = None,
    ) -> StagedTable:
        run_column = "_run_id" if convert else "run_id"
        path = self._staging / name / "part-00000.parquet"
        return StagedTable(path, schema, metadata, convert, {run_column: self.run_id})

    @property
    def tables(self) -> dict[str, StagedTable]:
        """All tables by their name relative to the folder, in the order in which they are published."""
        records = {f"records/{task}": table for task, table in self.records.items()}
        return {"rejects": self.rejects, "documents": self.documents, "responses": self.responses, **records}

    def close(self) -> None:
        """Write what is held and the footers; the files can be read after this."""
        for table in self.tables.values():
            table.close()

    def commit(self, report: dict[str, object]) -> Path:
        """Publish the run; returns the path of its report."""
        with writing(self.folder):
            return commit(self.folder, self.run_id, list(self.tables), report)


@contextmanager
def open_output(folder: Path, run_id: str, tables: Tables) -> Iterator[RunOutput]:
    """Hold the output folder for one run. What is not committed when the block ends is removed.

    Raises:
        TryAgainError: Another run holds the folder.
        OutputError: The folder cannot be written, at the start or later (disk full, permissions).
    """
    lock = FileLock(folder / ".lock", timeout=0)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            message = f"Another run holds {folder}. Wait for it to end; two runs never write to one output folder."
            raise TryAgainError(message) from None
    try:
        with writing(folder):
            recovered = recover(folder)
        yield RunOutput(folder, run_id, tables, recovered)
    finally:
        discard(folder, run_id)
        lock.release()


def _record_converter(own: pa.Schema, lineage: pa.Schema, to_arrow: ToArrow) -> Callable[[list[Line]], pa.RecordBatch]:
    """Values by the rules of the user's schema, lineage as it is, side by side."""

    def convert(lines: list[Line]) -> pa.RecordBatch:
        values = to_arrow([{name: line.get(name) for name in own.names} for line in lines], own)
        rest = pa.RecordBatch.from_pylist(lines, schema=lineage)
        return pa.RecordBatch.from_arrays([*values.columns, *rest.columns], schema=pa.schema([*own, *lineage]))

    return convert
