"""One table of a run while it is written: lines in, a Parquet file in the staging folder out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError
from pipeline.tables.layout import Line

Convert = Callable[[list[Line]], pa.RecordBatch]

_FLUSH_LINES = 2_000
_FLUSH_BYTES = 16 << 20


class StagedTable:
    """Lines of one table, written in row groups as they come. The file exists, with its schema, from the start.

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
        """Open the file.

        Args:
            path: The file; its folder is made.
            schema: Its columns.
            metadata: Goes into the file beside the schema's own.
            convert: Lines to a batch of the schema; None: by the schema as it is.
            constants: Columns that have the same value in every line.

        Raises:
            OutputError: It cannot be written; so too from `append`, `flush` and `close`.
        """
        self.path = path
        self.n_lines = 0
        schema = schema.with_metadata({**(schema.metadata or {}), **metadata})
        self._schema = schema
        self._convert = convert or (lambda lines: pa.RecordBatch.from_pylist(lines, schema=schema))
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True)
        self._constants = dict(constants or {})
        self._lines: list[Line] = []
        self._size_bytes = 0

    def append(self, line: Line, size_bytes: int = 0) -> None:
        """Add one line. `size_bytes` is its rough size where it may be large: it bounds what is held in memory."""
        self._lines.append({**line, **self._constants})
        self._size_bytes += size_bytes
        self.n_lines += 1
        if len(self._lines) >= _FLUSH_LINES or self._size_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a row group."""
        if self._lines:
            batch = self._convert(self._lines)
            with writing(self.path):
                self._writer.write_batch(batch.replace_schema_metadata(self._schema.metadata))
            self._lines, self._size_bytes = [], 0

    def close(self) -> None:
        """Write the rest and the file's footer; safe to call twice."""
        if self._writer.is_open:
            self.flush()
            with writing(self.path):
                self._writer.close()

    def count_written(self) -> int:
        """Lines that the closed file really holds, as its footer says."""
        return int(pq.read_metadata(self.path).num_rows)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing (disk full, permissions) into an OutputError that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"Cannot write {path}: {reason}. Free space or mend the permissions, and run again; nothing is lost."
        raise OutputError(message) from error
