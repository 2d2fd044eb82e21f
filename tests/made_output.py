"""An output folder made by hand, line by line: for tests of what reads one."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables.layout import CONFLICTS, DOCUMENTS, EVIDENCE, LINEAGE, REJECTS, RESPONSES, SOURCES

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": ["string", "null"], "maxLength": 200, "x-evidence": True},
        "signed_on": {"type": ["string", "null"], "format": "date", "x-evidence": True},
        "fee": {"type": ["number", "null"]},
        "parties": {
            "type": "array",
            "maxItems": 9,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 200, "x-evidence": True},
                    "role": {"type": ["string", "null"], "maxLength": 30},
                },
                "required": ["name", "role"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["title", "signed_on", "fee", "parties"],
    "additionalProperties": False,
}
_PARTY = pa.struct([("name", pa.string()), ("role", pa.string())])
RECORDS = pa.schema(
    [("title", pa.string()), ("signed_on", pa.date32()), ("fee", pa.float64()), ("parties", pa.list_(_PARTY)), *LINEAGE]
)
TASK = "contract"
Line = dict[str, Any]


class MadeOutput:
    """An output folder with one run; `write` puts what was added on the disk."""

    def __init__(self, folder: Path, run_id: str = "20260102T030405Z-abcdef") -> None:
        self.folder, self.run_id = folder, run_id
        self.lines: dict[str, list[Line]] = {name: [] for name in _SCHEMAS}
        self.sums = [{"name": "documents = settled + open when stopped", "left": 1, "right": 1, "closes": True}]
        self.exit_code = 0
        self.failed_gates: list[str] = []
        self.evaluation: object = None

    def document(self, doc_id: str, pages: list[str], row: Line | None = None, *, uri: str = "", **line: Any) -> None:
        """A document of these pages, or of what the segments in `line` say, and its row."""
        text = "".join(pages)
        segments = [
            {
                "kind": "page",
                "page_number": number,
                "page_label": None,
                "status": "read",
                "detail": "",
                "reader": "pypdf",
            }
            | {"start": sum(map(len, pages[: number - 1])), "end": sum(map(len, pages[:number]))}
            for number in range(1, len(pages) + 1)
        ]
        ids = {"doc_id": doc_id, "uri": uri or doc_id, "doc_key": "k"}
        read = {
            "n_pages": len(pages),
            "status": "read",
            "format": "pdf",
            "n_tokens": len(text) // 4,
            "segments": segments,
            "segments_cited": [],
        }
        self._add(
            "documents",
            ids,
            text=text,
            n_chars=len(text),
            n_chunks=1,
            n_segments=len(pages),
            metadata=[],
            **{**read, **line},
        )
        self._add("sources", ids, occurrence=0, outcome="document", why="new")
        if row is not None:
            values = {name: row.get(name) for name in ("title", "signed_on", "fee", "parties")}
            values["parties"] = values["parties"] or []
            lineage = {"_doc_id": doc_id, "_doc_key": "k", "_uri": uri or doc_id, "_run_id": self.run_id}
            self.lines["records/contract"].append({**values, **lineage, "_model": "made", "_extra": row.get("_extra")})

    def cite(self, doc_id: str, pointer: str, value: object, quote: str, **line: Any) -> None:
        """Evidence for a value; where the quote stands in the text is looked up, once and to the letter."""
        text, segments = self._text(doc_id)
        start = text.find(quote)
        found: Line = {"grade": "missing", "score": 0.0, "is_verified": False, "n_places": 0}
        if start >= 0:
            end = start + len(quote)
            cited = [i for i, one in enumerate(segments) if one["start"] < end and one["end"] > start]
            self._document(doc_id)["segments_cited"] = sorted({*self._document(doc_id)["segments_cited"], *cited})
            pages = [segments[i].get("page_number") for i in cited]
            found = {
                "grade": "exact",
                "score": 1.0,
                "is_verified": True,
                "found_text": quote,
                "start": start,
                "end": end,
                "n_places": text.count(quote),
                "first_page": pages[0],
                "last_page": pages[-1],
                "start_ms": segments[cited[0]].get("start_ms"),
                "speaker": segments[cited[0]].get("speaker"),
            }
        shown: Line = {
            "task": TASK,
            "pointer": pointer,
            "is_in_row": True,
            "value": json.dumps(value),
            "quote": quote,
            "agreement": "unchecked",
        }
        self._add(
            "evidence",
            {"doc_id": doc_id, "uri": doc_id, "doc_key": "k"},
            **{**shown, **found, **line},
        )

    def conflict(self, doc_id: str, pointer: str, kept: object, lost: object, **line: Any) -> None:
        """A value that lost a merge."""
        shown: Line = {"task": TASK, "pointer": pointer, "policy": "first", "kept": json.dumps(kept)}
        self._add(
            "conflicts", {"doc_id": doc_id}, lost=json.dumps(lost), **{**shown, "first_page": 1, "last_page": 1, **line}
        )

    def reject(self, doc_id: str, code: str, detail: str, *, is_source: bool = False) -> None:
        """A lost item; of a source that gave no document, too."""
        self._add(
            "rejects", {"doc_id": doc_id, "uri": doc_id}, code=code, detail=detail, task=None if is_source else TASK
        )
        if is_source:
            self._add("sources", {"doc_id": doc_id, "uri": doc_id}, occurrence=0, outcome="rejected", code=code)

    def response(self, doc_id: str, n_items: int, first_page: int, last_page: int) -> None:
        """An answer with lists, about some pages."""
        self._add(
            "responses",
            {"doc_id": doc_id},
            task=TASK,
            status="record",
            n_items=n_items,
            first_page=first_page,
            last_page=last_page,
        )

    def write(self) -> Path:
        """Write the tables and the run's report; returns the folder."""
        for name, lines in self.lines.items():
            schema = _SCHEMAS[name].with_metadata({"json_schema": json.dumps(SCHEMA)})
            path = self.folder / name / f"run={self.run_id}" / "part-00000.parquet"
            path.parent.mkdir(parents=True)
            pq.write_table(pa.Table.from_pylist([_blank(schema) | line for line in lines], schema=schema), path)
        (self.folder / "runs").mkdir()
        (self.folder / "runs" / f"{self.run_id}.json").write_text(json.dumps(self.report()))
        if self.evaluation is not None:
            (self.folder / "evaluation.json").write_text(json.dumps(self.evaluation))
        return self.folder

    def report(self) -> Line:
        """The run's report."""
        n = {name: len(lines) for name, lines in self.lines.items()}
        counts = {
            "sources": n["sources"],
            "documents": n["documents"],
            "rejected_sources": 0,
            "unchanged": 0,
            "left": 0,
        }
        counts |= {"records": 1, "attempts": 3, "removed": 0}
        return {
            "run_id": self.run_id, "job": "made", "exit_code": self.exit_code, "failed_gates": self.failed_gates,
            "stopped": None, "started_at": "2026-01-02T03:04:05+00:00", "finished_at": "2026-01-02T03:05:00+00:00",
            "seconds": {"before_engine": 0.6, "engine_start": 21.0, "waiting": 0.0, "generating": 33.0, "starved": 0.2},
            "timeline": {"planned": 0.8, "engine_start": 1.4, "engine_ready": 22.4, "last_answer": 55.0},
            "counts": {**counts, "rows": {TASK: n["records/contract"]}},
            "why": {"new": n["sources"]}, "sums": self.sums, "rejects": {},
            "tokens": {"documents": 1, "prompts": 12345, "cached": 2345, "output": 678, "per_second": 393.1},
            "yield": {TASK: {"items": 3, "answers": 2, "answers_without_items": 1, "items_per_page": 1.5,
                             "thinnest": [{"doc_id": "in/supply.pdf", "chunk_index": 1, "part": "", "first_page": 3,
                                           "last_page": 5, "n_segments": 3, "n_items": 0}]}},
            "model": {"kind": "vllm", "model": "made", "deaths": 0}, "versions": {"pipeline": "0", "python": "3"},
            "settings": {"name": "made"},
        }  # fmt: skip

    def _add(self, table: str, ids: Line, **line: Any) -> None:
        self.lines[table].append({**ids, "run_id": self.run_id, **line})

    def _document(self, doc_id: str) -> Line:
        return next(line for line in self.lines["documents"] if line["doc_id"] == doc_id)

    def _text(self, doc_id: str) -> tuple[str, list[Line]]:
        line = self._document(doc_id)
        return line["text"], line["segments"]


_SCHEMAS = {
    "documents": DOCUMENTS,
    "responses": RESPONSES,
    "rejects": REJECTS,
    "conflicts": CONFLICTS,
    "evidence": EVIDENCE,
    "records/contract": RECORDS,
    "sources": SOURCES,
}


def _blank(schema: pa.Schema) -> Line:
    """What a line holds that does not say it: null, else 0 or empty text."""
    return {
        field.name: None
        if field.nullable
        else 0
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        else ""
        for field in schema
    }


def good_output(folder: Path) -> MadeOutput:
    """Four documents: two contracts, a letter in Arabic, and a meeting; one of everything that a report marks."""
    made = MadeOutput(folder)
    pages = [
        "SUPPLY AGREEMENT\n\nThis agreement is made on 3 March 2025 between Alder Mills Ltd (the Seller)\n"
        "and Birch & Sons GmbH (the Buyer).\n\n",
        "1. The Seller delivers flour each week.\n\n2. The yearly fee is 12,500 euros.\n\n",
        "Nothing of interest stands on this page.\n",
        "",
        "Signed in Lyon by Alder Mills Ltd.\n",
    ]
    parties = [{"name": "Alder Mills Ltd", "role": "Seller"}, {"name": "Birch & Sons GmbH", "role": "Buyer"}]
    row = {"title": "SUPPLY AGREEMENT", "signed_on": date(2025, 3, 3), "fee": 12500.0, "parties": parties}
    made.document("in/supply.pdf", pages, row, status="partial")
    made._document("in/supply.pdf")["segments"][3] |= {"status": "image_only", "detail": "no text layer"}
    made.cite("in/supply.pdf", "/title", "SUPPLY AGREEMENT", "SUPPLY AGREEMENT")
    made.cite("in/supply.pdf", "/signed_on", "2025-03-03", "made on 3 March 2025", agreement="agrees")
    made.cite("in/supply.pdf", "/parties/0/name", "Alder Mills Ltd", "between Alder Mills Ltd (the Seller)")
    made.cite(
        "in/supply.pdf", "/parties/0/name", "Alder Mills Ltd", "Signed in Lyon by Alder Mills Ltd.", chunk_index=1
    )
    made.cite(
        "in/supply.pdf", "/parties/1/name", "Birch & Sons GmbH", "Alder Mills Ltd (the Seller)\nand Birch & Sons GmbH"
    )
    made.cite("in/supply.pdf", "/signed_on", "2024-12-31", "made on the last of December", is_in_row=False)
    made.conflict(
        "in/supply.pdf", "/title", "SUPPLY AGREEMENT", "Agreement of sale", start=200, first_page=2, last_page=3
    )
    made.reject("in/supply.pdf", "list_short", "the model counted 4 parties and listed 2")
    made.response("in/supply.pdf", 2, 1, 2)
    made.response("in/supply.pdf", 0, 3, 5)
    made.document("in/lease.pdf", ["LEASE\n\nThe rent is 900 a month.\n"], {"title": "Rental", "fee": 900.0})
    made.cite("in/lease.pdf", "/title", "Rental", "RENTAL CONTRACT OF 2019")
    made.cite("in/lease.pdf", "/fee", 900, "The rent is 900 a month.", agreement="disagrees", is_verified=False)
    made.document("in/رسالة.pdf", ["عقد توريد\n\nأبرم هذا العقد في 3 مارس 2025 بين الطرفين.\n"], {"title": "عقد توريد"})
    made.cite("in/رسالة.pdf", "/title", "عقد توريد", "عقد توريد")
    made.reject("in/scan.pdf", "image_only", "3 pages, none with text", is_source=True)
    return made
