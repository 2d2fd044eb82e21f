"""A job and an output folder with chosen rows, made by the project's own conversion: for tests of evaluations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.job import load_job
from pipeline.reports.evaluation.evaluate import Wanted, evaluate
from pipeline.schema.arrow import convert_rows
from pipeline.schema.columns import Column
from pipeline.schema.load import load_contract
from pipeline.tables.layout import EVIDENCE, LINEAGE, RESPONSES, SOURCES

Row = Mapping[str, Any]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "party": {"type": ["string", "null"]},
        "signed_on": {"type": ["string", "null"], "format": "date"},
        "pages": {"type": ["integer", "null"]},
        "fee": {"type": ["number", "null"]},
        "is_final": {"type": ["boolean", "null"]},
        "kind": {"enum": ["lease", "sale", None]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "address": {
            "type": ["object", "null"],
            "properties": {"city": {"type": ["string", "null"]}, "zip": {"type": ["string", "null"]}},
        },
        "lines": {
            "type": "array",
            "x-key": ["sku"],
            "items": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "amount": {"type": ["integer", "null"]},
                    "notes": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["sku"],
            },
        },
        "prices": {"type": "object", "additionalProperties": {"type": "number"}},
        "anything": {},
    },
}
JOB = """
name = "judged"
[input]
paths = ["in"]
[[tasks]]
name = "contract"
instructions = "What does it say?"
schema = "contract.json"
[engine]
kind = "synthetic"
[output]
folder = "out"
"""


class Judged:
    """A project folder. Rows and gold are by file name; a row of None: the document was lost."""

    def __init__(self, folder: Path, schema: Row | None = None, tasks: tuple[str, ...] = ("contract",)) -> None:
        self.folder, self.tasks = folder, tasks
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "contract.json").write_text(json.dumps(SCHEMA if schema is None else schema))
        more = "".join(
            f'[[tasks]]\nname = "{name}"\ninstructions = "Again."\nschema = "contract.json"\n' for name in tasks[1:]
        )
        (folder / "job.toml").write_text(JOB.replace("[engine]", f"{more}[engine]"))

    @property
    def columns(self) -> tuple[Column, ...]:
        return load_contract(self.folder / "contract.json", 4096).columns

    def write(
        self, rows: Mapping[str, Row | None], *, out: str = "out", run_id: str = "20260102T030405Z-abcdef"
    ) -> Path:
        """One committed run with these rows, the same for each task."""
        uris = [f"in/{name}" for name in rows]
        sources = [{"doc_id": f"id-{uri}", "uri": uri, "outcome": "document", "run_id": run_id} for uri in uris]
        self._table(out, "sources", SOURCES, sources, run_id)
        kept = {f"in/{name}": row for name, row in rows.items() if row is not None}
        converted = convert_rows(list(kept.values()), self.columns)
        lineage = pa.schema(list(LINEAGE))
        lines = [
            {"_doc_id": f"id-{uri}", "_uri": uri, "_run_id": run_id, "_extra": extra}
            for uri, extra in zip(kept, converted.extras, strict=True)
        ]
        rest = pa.RecordBatch.from_pylist([_blank(lineage) | line for line in lines], schema=lineage)
        schema = pa.schema([*converted.batch.schema, *lineage])
        table = pa.Table.from_arrays([*converted.batch.columns, *rest.columns], schema=schema)
        for task in self.tasks:
            self._write(out, f"records/{task}", table, run_id)
        (self.folder / out / "runs").mkdir(parents=True, exist_ok=True)
        (self.folder / out / "runs" / f"{run_id}.json").write_text("{}")
        return self.folder / out

    def write_responses(self, lines: list[Row], *, out: str = "out", run_id: str = "20260102T030405Z-abcdef") -> None:
        self._table(
            out,
            "responses",
            RESPONSES,
            [{"task": "contract", "doc_id": "id-in/a.txt", **line} for line in lines],
            run_id,
        )

    def write_evidence(self, lines: list[Row], *, out: str = "out", run_id: str = "20260102T030405Z-abcdef") -> None:
        self._table(
            out, "evidence", EVIDENCE, [{"task": "contract", "doc_id": "id-in/a.txt", **line} for line in lines], run_id
        )

    def gold(self, text: str | bytes, name: str = "gold.jsonl") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def gold_lines(self, lines: Mapping[str, Row]) -> Path:
        return self.gold("".join(json.dumps({"uri": f"in/{name}", **line}) + "\n" for name, line in lines.items()))

    def evaluate(
        self, gold: Path, *overrides: str, task: str | None = None, against: Path | None = None
    ) -> dict[str, Any]:
        job = load_job(self.folder / "job.toml", overrides=overrides)
        return evaluate(job, Wanted(gold, task, against), datetime(2026, 1, 2, tzinfo=UTC))

    def fields(self, gold: Path) -> dict[str, Any]:
        fields: dict[str, Any] = self.evaluate(gold)["tasks"]["contract"]["fields"]
        return fields

    def _table(self, out: str, name: str, schema: pa.Schema, lines: list[Any], run_id: str) -> None:
        self._write(
            out, name, pa.Table.from_pylist([_blank(schema) | dict(line) for line in lines], schema=schema), run_id
        )

    def _write(self, out: str, name: str, table: pa.Table, run_id: str) -> None:
        path = self.folder / out / name / f"run={run_id}" / "part-00000.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)


def _blank(schema: pa.Schema) -> dict[str, Any]:
    def nothing(kind: pa.DataType) -> object:
        if pa.types.is_boolean(kind):
            return False
        return 0 if pa.types.is_integer(kind) or pa.types.is_floating(kind) else ""

    return {field.name: None if field.nullable else nothing(field.type) for field in schema}
