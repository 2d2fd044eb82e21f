"""The current rows of an output folder as JSON values, by document; and which documents it has at all.

Rows are kept as they were written: a column that the job's schema has since been given another type is told apart, not
read as what it is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.errors import JobError
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON, write_json
from pipeline.schema.restore import restore_row
from pipeline.tables.current import TableView, list_runs, load_current

_EXTRA = "_extra"
_REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Found:
    """An output folder.

    Attributes:
        folder: Where it lies.
        run_id: Its last committed run.
        uris: By doc_id the uri of each source that it has, those that were lost too.
        tables: Its current tables by name.
    """

    folder: Path
    run_id: str
    uris: Mapping[str, str]
    tables: Mapping[str, TableView]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a task.

    Attributes:
        values: By doc_id; a document without a row is not there. A null property is not there either.
        lacking: Columns that were asked for and that a row was written without, or with another type.
        names: The user's columns that any of the rows has.
    """

    values: Mapping[str, Mapping[str, JSON]]
    lacking: frozenset[str]
    names: tuple[str, ...]


def load_found(folder: Path, advice: str = "Run the job first: pipeline run.") -> Found:
    """What is in an output folder now.

    Args:
        folder: The output folder.
        advice: What to do when it is none, a sentence.

    Raises:
        JobError: It has no committed run.
        OutputError: A file of it cannot be read.
    """
    runs = list_runs(folder)
    if not runs:
        raise JobError(f"There is no committed run in {folder}: it has no runs/*.json. {advice}")
    tables = load_current(folder, runs)
    wanted = ("doc_id", "uri", "occurrence", "outcome")
    lines = tables["sources"].iter_rows(lambda name: name in wanted) if "sources" in tables else ()
    uris = {line["doc_id"]: line["uri"] for line in lines if line["occurrence"] == 0 and line["outcome"] != _REMOVED}
    return Found(folder, runs[-1], uris, tables)


def load_rows(found: Found, task: str, columns: tuple[Column, ...], doc_ids: Collection[str]) -> Rows:
    """The rows of some documents.

    Args:
        found: The output folder.
        task: The task.
        columns: Those that are wanted, of the job's schema as it is now.
        doc_ids: The documents.

    Raises:
        OutputError: A file cannot be read.
    """
    view = found.tables.get(f"records/{task}")
    names: dict[str, None] = {}
    ours = {column.name for column in columns}

    def wanted(name: str) -> bool:
        if not name.startswith("_"):
            names.setdefault(name)
        return name in ours or name in ("_doc_id", _EXTRA)

    values, lacking = {}, set()
    for row in view.iter_rows(wanted) if view is not None else ():
        if row["_doc_id"] in doc_ids:
            fitting = tuple(column for column in columns if column.name in row and _fits(row[column.name], column))
            lacking |= ours - {column.name for column in fitting}
            extra = row[_EXTRA] if len(fitting) == len(columns) else None
            values[row["_doc_id"]] = restore_row(row, _extra_of(extra, ours), fitting)
    return Rows(values, frozenset(lacking), tuple(names))


def _extra_of(extra: str | None, names: Collection[str]) -> str | None:
    """What the columns that are read cannot hold; the pointers of others lead nowhere here."""
    if extra is None:
        return None
    every = json.loads(extra, parse_float=Decimal)
    return write_json({pointer: value for pointer, value in every.items() if _first_name(pointer) in names})


def _first_name(pointer: str) -> str:
    return pointer.split("/")[1].replace("~1", "/").replace("~0", "~")


def _fits(value: Any, column: Column) -> bool:  # noqa: ANN401 - what Arrow gives
    """Whether a value of a table is of the column's type; null is of any."""
    if value is None:
        return True
    if column.kind is Kind.STRUCT:
        return isinstance(value, dict) and all(
            child.name in value and _fits(value[child.name], child) for child in column.children
        )
    if column.kind is Kind.LIST:
        return isinstance(value, list) and all(_fits(item, column.children[0]) for item in value)
    if column.kind is Kind.MAP:
        pairs = isinstance(value, list) and all(isinstance(pair, tuple) for pair in value)
        return pairs and all(_fits(part, column.children[0]) for _, part in value)
    return _SCALARS[column.kind](value)


def _is_json(value: object) -> bool:
    try:
        return isinstance(value, str) and json.loads(value) is not Ellipsis
    except ValueError:
        return False


def _of(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


_SCALARS: dict[Kind, Callable[[Any], bool]] = {
    Kind.STRING: _of(str),
    Kind.ENUM: _of(str),
    Kind.DATE: _of(date),
    Kind.TIMESTAMP: _of(datetime),
    Kind.TIME: _of(time),
    Kind.INTEGER: _of(int),
    Kind.FLOAT: _of(float),
    Kind.DECIMAL: _of(Decimal),
    Kind.BOOLEAN: _of(bool),
    Kind.JSON: _is_json,
}
