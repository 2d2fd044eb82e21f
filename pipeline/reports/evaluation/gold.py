"""Gold lines in, what they say of each document out: by task and doc_id the values of the annotated fields.

A field that a line does not have is not annotated; null says that the document has no such value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

from pipeline.errors import JobError
from pipeline.reports.evaluation.gold_files import GoldLine
from pipeline.reports.evaluation.nearest import nearest
from pipeline.reports.evaluation.typed import typed
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON

NAMING = ("doc_id", "uri")
"""Columns that name the document: by its doc_id, its uri, or a file name that only one uri has."""
TASK = "task"
ANNOTATED = "annotated"
"""A column that lists the fields which a line annotates, for tables whose cells cannot be left out (Parquet)."""


@dataclass(slots=True)
class TaskGold:
    """What is annotated of one task.

    Attributes:
        documents: By doc_id the annotated values, by name of the top-level field; an object has the annotated
            properties alone.
        unmatched: Documents that the output folder does not have, as the gold names them.
    """

    documents: dict[str, dict[str, JSON]] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Field:
    task: str
    path: tuple[str, ...]
    column: Column


def build_gold(
    lines: Iterable[GoldLine],
    columns: Mapping[str, tuple[Column, ...]],
    uris: Mapping[str, str],
    source: str,
    only: str | None = None,
) -> dict[str, TaskGold]:
    """Give what the lines annotate, by the tasks that they annotate something of, in the job's order.

    Args:
        lines: Of a gold file.
        columns: Of the job's tasks, by their name.
        uris: The uri of each document of the output folder, by doc_id.
        source: What the gold file is called, for messages.
        only: The only task that is wanted; what is annotated of others is left out. None: all.

    Raises:
        JobError: A field is unknown, of several tasks, or of another type; a document is unnamed or named twice; there
            is no line, no annotation, or no document in common with the folder.
    """
    names, documents = _Names(columns, only), _Documents(uris)
    gold = {task: TaskGold() for task in columns}
    taken: dict[tuple[str, str], str] = {}
    n_lines = 0
    for n_lines, line in enumerate(lines, start=1):  # noqa: B007 - counted
        try:
            name, doc_id = documents.find(line.cells)
            for task, values in _values_of(line, names).items():
                if (first := taken.setdefault((task, doc_id or name), line.place)) != line.place:
                    raise JobError(f"the document {name!r} came before ({first}); keep one line for each.")
                if doc_id is None:
                    gold[task].unmatched.append(name)
                else:
                    gold[task].documents[doc_id] = values
        except JobError as error:
            raise JobError(f"{line.place}: {error}") from None
    found = {task: one for task, one in gold.items() if (one.documents or one.unmatched) and only in (None, task)}
    _check_some(found, n_lines, uris, source)
    return found


def _check_some(found: Mapping[str, TaskGold], n_lines: int, uris: Mapping[str, str], source: str) -> None:
    if not n_lines:
        raise JobError(f"The gold file {source} is empty.")
    if not found:
        raise JobError(f"The gold file {source} annotates no field of a task that is asked for.")
    if not any(one.documents for one in found.values()):
        names = [name for one in found.values() for name in one.unmatched]
        there = f"for instance {next(iter(uris.values()))!r}" if uris else "none"
        message = (
            f"The gold file {source} names no document that the output folder has: {names[0]!r}, ...; it has {there}."
        )
        raise JobError(message)


def _values_of(line: GoldLine, names: _Names) -> dict[str, dict[str, JSON]]:
    """By task what a line annotates, nested as a row is."""
    given = {name: value for name, value in line.cells.items() if name not in (*NAMING, TASK, ANNOTATED)}
    chosen = line.cells.get(TASK)
    if chosen is not None and chosen not in names.tasks:
        raise JobError(f"there is no task {chosen!r}{nearest(str(chosen), names.tasks)}")
    if (annotated := line.cells.get(ANNOTATED)) is not None:
        given = {name: value for name, value in given.items() if name in _annotated_names(annotated, given)}
    found: dict[str, dict[str, JSON]] = {}
    for name, value in given.items():
        place = names.find(name, None if chosen is None else str(chosen))
        _put(found.setdefault(place.task, {}), place.path, typed(value, place.column, is_text=line.is_text, field=name))
    return found


def _annotated_names(listed: JSON, given: Collection[str]) -> list[str]:
    wanted = listed.replace(",", " ").split() if isinstance(listed, str) else listed
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise JobError(f"the column {ANNOTATED!r} has {listed!r}, expected a list of names of fields.")
    if unknown := [name for name in wanted if name not in given]:
        raise JobError(f"the column {ANNOTATED!r} names {unknown[0]!r}{nearest(unknown[0], given)}")
    return cast("list[str]", wanted)


def _put(values: dict[str, JSON], path: tuple[str, ...], value: JSON) -> None:
    """Put a value where it stands in a row."""
    *above, last = path
    place: dict[str, Any] = values
    for name in above:
        below = place.setdefault(name, {})
        if not isinstance(below, dict):
            raise JobError(f"field {'.'.join(path)!r} is annotated, and so is all of {name!r}; keep one.")
        place = below
    if last in place:
        raise JobError(f"field {'.'.join(path)!r} is annotated twice; keep one.")
    place[last] = value


class _Names:
    """The fields that a gold file may name: "term", "address.city", or with the task, "contract.term"."""

    def __init__(self, columns: Mapping[str, tuple[Column, ...]], preferred: str | None) -> None:
        self.tasks, self._preferred = list(columns), preferred
        self._fields = {
            task: {".".join(one.path): one for one in _iter_fields(task, of)} for task, of in columns.items()
        }

    def find(self, name: str, task: str | None) -> _Field:
        """The field of this name, of this task, of the preferred one, or of the only one that has it."""
        tasks = self.tasks if task is None else [task]
        found = [self._fields[one][name] for one in tasks if name in self._fields[one]]
        found = [one for one in found if one.task == self._preferred] or found
        if len(found) > 1:
            both = " and ".join(one.task for one in found)
            raise JobError(f"the field {name!r} is in the tasks {both}: add a column {TASK!r}, or choose with --task.")
        of_task, _, rest = name.partition(".")
        if not found and of_task in tasks and rest in self._fields[of_task]:
            return self._fields[of_task][rest]
        if not found:
            known = [one for task in tasks for one in self._fields[task]]
            raise JobError(f"there is no field {name!r}{nearest(name, known)}")
        return found[0]


def _iter_fields(task: str, columns: tuple[Column, ...], above: tuple[str, ...] = ()) -> Iterator[_Field]:
    """Every field that is not in a list or a map, an object before its properties."""
    for column in columns:
        path = (*above, column.name)
        yield _Field(task, path, column)
        if column.kind is Kind.STRUCT:
            yield from _iter_fields(task, column.children, path)


class _Documents:
    """Finds the doc_id of a line."""

    def __init__(self, uris: Mapping[str, str]) -> None:
        self._by_name: dict[str, str | None] = {}
        for doc_id, uri in uris.items():
            name = PurePosixPath(uri).name
            self._by_name[name] = None if name in self._by_name else doc_id
        self._by_name |= {uri: doc_id for doc_id, uri in uris.items()}
        self._by_name |= {doc_id: doc_id for doc_id in uris}

    def find(self, cells: Mapping[str, JSON]) -> tuple[str, str | None]:
        """The document as the line names it, and its doc_id; None when the folder has no such document."""
        given = [str(cells[column]).strip() for column in NAMING if cells.get(column) is not None]
        if not given:
            raise JobError(
                f"no document is named; expected a column doc_id or uri, found {', '.join(cells) or 'none'}."
            )
        for name in given:
            if name in self._by_name:
                if (doc_id := self._by_name[name]) is None:
                    raise JobError(f"the file name {name!r} is that of several documents; give the uri or the doc_id.")
                return name, doc_id
        return given[0], None
