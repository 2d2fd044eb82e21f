"""`pipeline show OUTPUT`: what is in an output folder now, or what one run wrote: rows, rejects and advice."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import JsonOption
from pipeline.cli.run import summary
from pipeline.errors import JobError, RejectCode

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.tables.current import TableView

_VALUE_SHOWN = 80
_SHOWN = {"rejects": 20, "conflicts": 10}

OutputArgument = Annotated[Path, typer.Argument(metavar="OUTPUT", help="The output folder of a job.")]
RunOption = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN_ID", help="What that run wrote; without it the current rows of all runs."),
]
RowsOption = Annotated[int, typer.Option("--rows", metavar="N", min=0, help="First rows to show of each table.")]


def show(output: OutputArgument, run: RunOption = None, rows: RowsOption = 10, as_json: JsonOption = False) -> None:
    """Show the current tables of an output folder, with first rows, rejects and what to do about them."""
    from rich.console import Console

    from pipeline.tables.lean import forgo_pandas

    forgo_pandas()
    from pipeline.tables.current import list_runs, load_current, load_run

    runs = list_runs(output)
    shown_run = _choose_run(output, runs, run)
    report = load_report(output, shown_run)
    views = load_current(output, runs) if run is None else load_run(output, shown_run)
    first = {name: _first_rows(view, rows) for name, view in views.items()}
    if as_json:
        tables = {name: _facts(view) | {"rows": first[name]} for name, view in views.items()}
        print(json.dumps({"report": report, "runs": runs, "tables": tables}, ensure_ascii=False, default=str))
        return
    said = _summarize(report, shown_run)
    print(f"runs      {len(runs):,} committed; {'the last' if shown_run == runs[-1] else 'this'} one:\n{said}")
    console = Console(width=None if Console().is_terminal else 200)
    for name, view in views.items():
        print(f"\n{name}: {_size(view, current=run is None)}")
        if name.startswith("records/"):
            _print_rows(console, first[name])
        elif name == "rejects":
            _print_rejects(first[name])
        elif name == "conflicts":
            _print_conflicts(first[name])


def _choose_run(output: Path, runs: list[str], wanted: str | None) -> str:
    """The run whose report is shown: the one that was asked for, else the last."""
    if not runs:
        raise JobError(f"There is no committed run in {output}: it has no runs/*.json. Is this a job's output folder?")
    if wanted is not None and wanted not in runs:
        raise JobError(f"There is no run {wanted!r} in {output}. The last is {runs[-1]}.")
    return wanted or runs[-1]


def load_report(output: Path, run_id: str) -> dict[str, Any]:
    """The report of a committed run.

    Raises:
        JobError: It cannot be read.
    """
    path = output / "runs" / f"{run_id}.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"The run report {path} cannot be read: {error}") from error
    return report


def _summarize(report: dict[str, Any], run_id: str) -> str:
    try:
        return summary(report)
    except (KeyError, TypeError, ValueError) as error:
        message = f"The report of run {run_id} was written by another version ({error!r}): --json prints what it says."
        raise JobError(message) from error


def _first_rows(view: TableView, n_rows: int) -> list[dict[str, Any]]:
    """Of records the user's columns and `_uri`, of rejects and conflicts all; the other tables are for machines."""
    if view.name in _SHOWN:
        return list(islice(view.iter_rows(), _SHOWN[view.name]))
    if not view.name.startswith("records/"):
        return []
    return list(islice(view.iter_rows(lambda name: not name.startswith("_") or name == "_uri"), n_rows))


def _facts(view: TableView) -> dict[str, Any]:
    return {"n_rows": view.n_rows, "n_runs": view.n_runs, "size_bytes": view.size_bytes, "path": str(view.path)}


def _size(view: TableView, *, current: bool) -> str:
    """How much is in a table; rows that a later run superseded or removed are not counted when it is `current`."""
    of_runs = f" of {view.n_runs:,} runs" if current and view.n_runs > 1 else ""
    return f"{view.n_rows:,} rows{of_runs}, {view.size_bytes:,} bytes, {view.path}"


def _print_rows(console: Console, rows: list[dict[str, Any]]) -> None:
    """One block a row: field and value, as a person reads a form; a wide table would wrap."""
    from rich.table import Table

    for row in rows:
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2), title=str(row["_uri"]), title_justify="left")
        for field, value in row.items():
            if field != "_uri":
                table.add_row(field, _cell(value))
        console.print(table, markup=False)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "\n".join(f"- {_cell(item)}" for item in value) or "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    return str(value)


def _print_rejects(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        place = "" if row["chunk_index"] is None else f" chunk {row['chunk_index']}"
        task = "" if row["task"] is None else f" task {row['task']}"
        print(f"  {row['code']}  {row['uri']}{place}{task}\n    {row['detail']}\n    {RejectCode(row['code']).advice}")


def _print_conflicts(rows: list[dict[str, Any]]) -> None:
    """What stands in a row, and what another chunk said instead: where to look it up."""
    for row in rows:
        print(f"  {row['uri']} task {row['task']} {row['pointer']}: {_shown(row['kept'])} ({row['policy']})")
        print(f"    chunk {row['chunk_index']}{_pages(row)} has {_shown(row['lost'])}")


def _pages(row: dict[str, Any]) -> str:
    if row["first_page"] is None:
        return ""
    one = row["first_page"] == row["last_page"]
    return f", page {row['first_page']}" if one else f", pages {row['first_page']} to {row['last_page']}"


def _shown(value: str) -> str:
    return value if len(value) <= _VALUE_SHOWN else f"{value[: _VALUE_SHOWN - 3]}..."
