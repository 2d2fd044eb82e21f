"""A Parquet file of gold labels in, its lines as JSON values out; the only module here that knows pyarrow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import JobError
from pipeline.schema.json_text import JSON

_BATCH_LINES = 1_000


def iter_parquet(path: Path) -> Iterator[dict[str, JSON]]:
    """The lines of the file, every column of each; null is null.

    Raises:
        JobError: It is no Parquet file, or a value is none that JSON has (bytes, NaN).
    """
    try:
        with pq.ParquetFile(path) as file:
            types = {field.name: field.type for field in file.schema_arrow}
            for batch in file.iter_batches(_BATCH_LINES):
                for line in batch.to_pylist():
                    yield {name: _json(value, types[name]) for name, value in line.items()}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise JobError(f"The gold file {path} cannot be read as Parquet: {str(error).partition(chr(10))[0]}") from error


def _json(value: Any, kind: pa.DataType) -> JSON:  # noqa: ANN401 - what Arrow gives
    """A value as JSON has it: dates and times as text, floats as their shortest digits, maps as objects."""
    if value is None or isinstance(value, bool | int | str | Decimal):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"it holds {value}; leave the cell null where a value is absent")
        return Decimal(repr(value))
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if pa.types.is_map(kind):
        return {str(key): _json(part, kind.item_type) for key, part in value}
    if isinstance(value, list):
        return [_json(item, kind.value_type) for item in value]
    if isinstance(value, dict):
        return {field.name: _json(value[field.name], field.type) for field in kind}
    raise ValueError(f"it holds a value of type {kind}, which is no JSON")
