"""`pipeline show OUTPUT`: what is in an output folder: its last run, its tables, first rows, rejects and advice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import JsonOption
from pipeline.cli.run import summary
from pipeline.errors import JobError, RejectCode

_REJECTS_SHOWN = 20

OutputArgument = Annotated[Path, typer.Argument(metavar="OUTPUT", help="The output folder of a job.")]
RunOption = Annotated[str | None, typer.Option("--run", metavar="RUN_ID", help="That run; without it the last one.")]
RowsOption = Annotated[int, typer.Option("--rows", metavar="N", min=0, help="First rows to show of each table.")]


def show(output: OutputArgument, run: RunOption = None, rows: RowsOption = 10, as_json: JsonOption = False) -> None:
    """Show the tables of an output folder, with first rows, rejects and what to do about them."""
    report = _load_report(output, run)
    contents = _load_tables(output, report["run_id"], rows)
    if as_json:
        print(json.dumps({"report": report, "tables": contents}, ensure_ascii=False, default=str))
        return
    print(summary(report))
    console = Console(width=None if Console().is_terminal else 200)
    for name, table in contents.items():
        print(f"\n{name}: {table['n_rows']:,} rows, {table['size_bytes']:,} bytes, {table['path']}")
        if name.startswith("records/"):
            _print_rows(console, table["rows"])
        elif name == "rejects":
            _print_rejects(table["rows"])


def _load_report(output: Path, run_id: str | None) -> dict[str, Any]:
    reports = sorted((output / "runs").glob("*.json"))
    if not reports:
        raise JobError(f"There is no committed run in {output}: it has no runs/*.json. Is this a job's output folder?")
    if run_id is not None:
        reports = [path for path in reports if path.stem == run_id]
        if not reports:
            raise JobError(f"There is no run {run_id!r} in {output}.")
    try:
        report: dict[str, Any] = json.loads(reports[-1].read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"The run report {reports[-1]} cannot be read: {error}") from error
    return report


def _load_tables(output: Path, run_id: str, n_rows: int) -> dict[str, dict[str, Any]]:
    """By table: lines, bytes, path and first rows (user's columns and `_uri` of records; all of the others)."""
    import pyarrow.parquet as pq

    tables = {}
    for partition in sorted([*output.glob(f"*/run={run_id}"), *output.glob(f"records/*/run={run_id}")]):
        files = [pq.ParquetFile(path) for path in sorted(partition.glob("*.parquet"))]
        name = str(partition.parent.relative_to(output))
        wanted = _REJECTS_SHOWN if name == "rejects" else n_rows
        tables[name] = {
            "n_rows": sum(file.metadata.num_rows for file in files),
            "size_bytes": sum(path.stat().st_size for path in partition.glob("*.parquet")),
            "path": str(partition),
            "rows": _first_rows(files, name, wanted),
        }
    return tables


def _first_rows(files: list[Any], name: str, n_rows: int) -> list[dict[str, Any]]:
    if not (name.startswith("records/") or name == "rejects") or n_rows == 0:
        return []
    rows: list[dict[str, Any]] = []
    for file in files:
        columns = [c for c in file.schema_arrow.names if not c.startswith("_") or c == "_uri"]
        for batch in file.iter_batches(batch_size=n_rows, columns=columns):
            rows += batch.to_pylist()
            if len(rows) >= n_rows:
                return rows[:n_rows]
    return rows


def _print_rows(console: Console, rows: list[dict[str, Any]]) -> None:
    """One block a row: field and value, as a person reads a form; a wide table would wrap."""
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
