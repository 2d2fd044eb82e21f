"""The output folder of a job, held by one run: its staged tables, and their commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
from filelock import FileLock, Timeout

from pipeline.errors import TryAgainError
from pipeline.schema.arrow import build_arrow_schema, to_arrow
from pipeline.schema.columns import Column
from pipeline.schema.values import JSON
from pipeline.tables.commit import commit, discard, recover, staging_folder
from pipeline.tables.layout import DOCUMENTS, LINEAGE, REJECTS, RESPONSES, Line, carried
from pipeline.tables.staged import Convert, StagedTable, writing


@dataclass(frozen=True, slots=True)
class Tables:
    """What the tables of a job are made for.

    Attributes:
        columns: The columns of each task's rows, by task name.
        schemas: Each task's JSON Schema as text; goes into the files of its table.
        carried_columns: Names of the manifest columns that go along; see `layout.carried`.
        lineage: Lineage columns that are the same for the whole job.
        metadata: Goes into every file: job, fingerprints, versions.
    """

    columns: Mapping[str, tuple[Column, ...]]
    schemas: Mapping[str, str]
    carried_columns: Sequence[str]
    lineage: Mapping[str, str]
    metadata: Mapping[str, str]


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
        run = {"run_id": run_id}
        self.documents = self._stage("documents", pa.schema([*DOCUMENTS, *extra]), metadata, constants=run)
        self.responses = self._stage("responses", RESPONSES, metadata, constants=run)
        self.rejects = self._stage("rejects", REJECTS, metadata, constants=run)
        self.records: dict[str, StagedTable] = {}
        for task, columns in tables.columns.items():
            lineage = pa.schema([*LINEAGE, *extra])
            self.records[task] = self._stage(
                f"records/{task}",
                pa.schema([*build_arrow_schema(columns), *lineage]),
                {**metadata, "task": task, "json_schema": tables.schemas[task]},
                convert=_record_converter(columns, lineage),
                constants={**tables.lineage, "_run_id": run_id},
            )

    def _stage(
        self,
        name: str,
        schema: pa.Schema,
        metadata: Mapping[str, str],
        *,
        constants: Mapping[str, str],
        convert: Convert | None = None,
    ) -> StagedTable:
        path = self._staging / name / "part-00000.parquet"
        return StagedTable(path, schema, metadata, convert, constants)

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


def _record_converter(columns: tuple[Column, ...], lineage: pa.Schema) -> Convert:
    """Values by the rules of the user's schema, lineage as it is, side by side."""
    names = [column.name for column in columns]

    def convert(lines: list[Line]) -> pa.RecordBatch:
        rows = [{name: cast("JSON", line[name]) for name in names} for line in lines]
        values = to_arrow(rows, columns)
        rest = pa.RecordBatch.from_pylist(lines, schema=lineage)
        schema = pa.schema([*values.schema, *rest.schema])
        return pa.RecordBatch.from_arrays([*values.columns, *rest.columns], schema=schema)

    return convert
