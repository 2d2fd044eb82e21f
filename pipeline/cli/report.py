"""`pipeline report OUTPUT`: static pages about an output folder, for a browser without a network."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption
from pipeline.cli.show import OutputArgument

ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="FOLDER", help="Where the report goes; without it OUTPUT/report.")
]
DocumentsOption = Annotated[
    int,
    typer.Option(
        "--documents",
        metavar="N",
        min=0,
        help="Most documents with a page of their own: those with rejects, conflicts or unverified values first.",
    ),
]


def report(
    output: OutputArgument, *, to: ToOption = None, documents: DocumentsOption = 1000, as_json: JsonOption = False
) -> None:
    """Write a report to read: the run, each document's row beside its text, the evaluation.

    An older report is replaced as a whole; a folder that holds anything else is left alone.
    """
    from pipeline.tables.lean import forgo_pandas

    forgo_pandas()
    from pipeline.reports.html.write import write_report

    written = write_report(output, to or output / "report", documents)
    if as_json:
        facts = asdict(written) | {"folder": str(written.folder), "index": str(written.folder / "index.html")}
        print(json.dumps(facts, ensure_ascii=False))
        return
    left_out = f"; {written.n_left_out:,} documents have no page (--documents)" if written.n_left_out else ""
    print(f"{written.folder / 'index.html'}\n{written.n_pages:,} pages, {written.n_documents:,} of documents{left_out}")
