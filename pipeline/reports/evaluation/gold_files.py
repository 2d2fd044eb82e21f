"""A gold file in, its lines out, each with its place: JSONL, CSV or Parquet by the file's ending.

It knows the three formats and neither the job's fields nor its documents.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from pipeline.answers.read import parse_json
from pipeline.answers.record import Invalid
from pipeline.errors import JobError
from pipeline.schema.json_text import JSON

_JSON_LINES = (".jsonl", ".ndjson")
_OTHER_MARKS = (";", "\t", "|")
_LONGEST_CELL = 1 << 30
"""Characters of a CSV cell; Python's own limit is 131,072, which a list as JSON text can pass."""


@dataclass(frozen=True, slots=True)
class GoldLine:
    """One line of a gold file.

    Attributes:
        place: For messages: "gold.csv, line 3".
        cells: By column name. Of CSV texts as they stand, without those that are empty; else JSON values.
        is_text: Whether the cells are texts whose meaning is the field's type.
    """

    place: str
    cells: dict[str, JSON]
    is_text: bool = False


def iter_gold(path: Path) -> Iterator[GoldLine]:
    """The lines of a gold file, in its order; blank ones are left out. JSONL and CSV are UTF-8, with or without mark.

    Raises:
        JobError: The file cannot be read, has another ending, or a line is not what the ending says.
    """
    if path.suffix.lower() in (*_JSON_LINES, ".csv"):
        lines = _iter_csv(path) if path.suffix.lower() == ".csv" else _iter_json_lines(path)
        with _reading(path):
            yield from lines
    elif path.suffix.lower() == ".parquet":
        from pipeline.reports.evaluation.gold_parquet import iter_parquet

        if not path.is_file():
            raise JobError(f"There is no gold file at {path}.")
        for number, cells in enumerate(iter_parquet(path), start=1):
            yield GoldLine(f"{path}, row {number}", cells)
    else:
        raise JobError(f"The gold file {path} ends in {path.suffix!r}; expected .jsonl, .csv or .parquet.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise JobError(f"There is no gold file at {path}.") from None
    except OSError as error:
        raise JobError(f"The gold file {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise JobError(f"The gold file {path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error


def _iter_json_lines(path: Path) -> Iterator[GoldLine]:
    """One JSON object a line; a name that stands twice, NaN and numbers beyond a double are refused."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            place = f"{path}, line {number}"
            text = _decoded(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw, place)
            if not text.strip():
                continue
            found = parse_json(text)
            if isinstance(found, Invalid):
                raise JobError(f"{place}: not JSON: {found.detail}.")
            if not isinstance(found, dict):
                raise JobError(f"{place}: found {type(found).__name__}, expected an object, one a line.")
            yield GoldLine(place, found)


def _decoded(raw: bytes, place: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise JobError(f"{place}: not UTF-8 (byte {error.start} of the line). Save the file as UTF-8.") from error


def _iter_csv(path: Path) -> Iterator[GoldLine]:
    with path.open(encoding="utf-8-sig", newline="") as file, _long_cells():
        lines = _iter_cells(file, path)
        names = next(lines, (1, []))[1]
        if len(names) == 1 and (other := next((mark for mark in _OTHER_MARKS if mark in names[0]), None)):
            raise JobError(f"{path}, line 1: the columns are parted by {other!r}; save it with commas between them.")
        if twice := [name for name, n in Counter(names).items() if n > 1]:
            raise JobError(f"{path}, line 1: the column {twice[0]!r} stands twice; keep one.")
        for number, cells in lines:
            if len(cells) > len(names):
                raise JobError(f"{path}, line {number}: {len(cells)} cells, and the header names {len(names)} columns.")
            given = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
            if given:
                yield GoldLine(f"{path}, line {number}", cast("dict[str, JSON]", given), is_text=True)


def _iter_cells(file: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of the line in which each record begins, from 1, and its cells."""
    reader = csv.reader(file, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise JobError(f"{path}, line {number}: not CSV: {error}.") from error


@contextmanager
def _long_cells() -> Iterator[None]:
    """Allow long cells for as long as a file is read; the csv module has one limit for the whole process."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
