"""What the pages tell of the documents: current lines of all tables in, a summary a document and its parts out.

Summaries are small and of all documents; texts, rows and citations are read for a few documents at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pipeline.errors import RejectCode
from pipeline.reports.html.rows import columns_of
from pipeline.schema.columns import Column
from pipeline.tables.current import TableView

RECORDS = "records/"
_BATCH_DOCUMENTS = 200
"""Documents whose lines are held at once."""
_TEXTS_AT_ONCE = 4
_DETAIL_CHARS = 300


@dataclass(slots=True)
class Summary:
    """One line of the list of documents: a document, or a source that gave none.

    Attributes:
        doc_id: The document.
        uri: Where it lies.
        status: "read", "partial" or "rejected".
        note: Why it was rejected: code and detail; empty otherwise.
        has_text: Whether it is in `documents/`, so that it can have a page.
        n_pages: Pages; None where the format has none.
        n_segments: Pages, cues, turns or paragraphs.
        n_without_text: How many of those gave no text.
        n_tokens: Tokens of the text.
        n_segments_cited: Segments in which a found quote stands; None where no task asks for quotes.
        n_rejects: Lines of `rejects/`.
        n_conflicts: Lines of `conflicts/`.
        n_cited: Values in the rows with a quote, counted by quote.
        n_verified: How many of those are verified.
        n_unverified: Quotes that are not verified, whether their value is in the row or not.
    """

    doc_id: str
    uri: str
    status: str
    note: str = ""
    has_text: bool = True
    n_pages: int | None = None
    n_segments: int = 0
    n_without_text: int = 0
    n_tokens: int = 0
    n_segments_cited: int | None = None
    n_rejects: int = 0
    n_conflicts: int = 0
    n_cited: int = 0
    n_verified: int = 0
    n_unverified: int = 0

    @property
    def needs_a_look(self) -> bool:
        """Whether something of it was lost, contradicts itself or could not be verified."""
        return bool(self.n_rejects or self.n_conflicts or self.n_unverified)


@dataclass(slots=True)
class Overview:
    """What is in the tables now.

    Attributes:
        documents: All of them, then the rejected sources.
        grades: Quotes by grade, of values in the rows.
        agreements: Likewise by agreement.
        n_quotes: Quotes, also of values that are in no row.
        items: By task, the items a page of each answer that has lists.
        n_lines: Lines that count, by table.
        reject_examples: By code, the first lost item of it.
    """

    documents: list[Summary] = field(default_factory=list)
    grades: Counter[str] = field(default_factory=Counter)
    agreements: Counter[str] = field(default_factory=Counter)
    n_quotes: int = 0
    items: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    n_lines: dict[str, int] = field(default_factory=dict)
    rejects: Counter[str] = field(default_factory=Counter)
    reject_examples: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parts:
    """All that the tables have of one document.

    Attributes:
        summary: Its summary.
        line: Its line of `documents/`.
        rows: Its line of `records/<task>/` by task; tasks without one are not there.
        evidence: Its lines of `evidence/`.
        conflicts: Its lines of `conflicts/`.
        rejects: Its lines of `rejects/`.
    """

    summary: Summary
    line: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]
    evidence: Sequence[Mapping[str, Any]]
    conflicts: Sequence[Mapping[str, Any]]
    rejects: Sequence[Mapping[str, Any]]


Tables = Mapping[str, TableView]


def build_overview(tables: Tables) -> Overview:
    """Read all tables once, without texts.

    Raises:
        OutputError: A file cannot be read.
    """
    overview = Overview(n_lines={name: view.n_rows for name, view in tables.items()})
    by_id = {one.doc_id: one for one in _documents(tables)}
    _add_rejected(by_id, tables)
    _count_rejects(by_id, tables, overview)
    for line in _lines(tables, "conflicts", "doc_id"):
        if line["doc_id"] in by_id:
            by_id[line["doc_id"]].n_conflicts += 1
    _count_evidence(by_id, tables, overview)
    _count_items(tables, overview)
    overview.documents = list(by_id.values())
    return overview


def columns_by_task(tables: Tables) -> dict[str, dict[str, tuple[Column, ...]]]:
    """The columns of each task's rows, by task and by the run that wrote them.

    Raises:
        OutputError: A file or the schema in it cannot be read.
    """
    known: dict[str, tuple[Column, ...]] = {}
    found: dict[str, dict[str, tuple[Column, ...]]] = {}
    for name, view in tables.items():
        if name.startswith(RECORDS):
            schemas = view.json_schemas()
            known |= {text: columns_of(text) for text in set(schemas.values()) - known.keys()}
            found[name.removeprefix(RECORDS)] = {run_id: known[text] for run_id, text in schemas.items()}
    return found


def iter_parts(tables: Tables, chosen: Mapping[str, Summary]) -> Iterator[Parts]:
    """The parts of these documents, in the order of `documents/`; others are left out.

    Args:
        tables: The current lines.
        chosen: Summaries by doc_id.

    Raises:
        OutputError: A file cannot be read.
    """
    order = [line["doc_id"] for line in _lines(tables, "documents", "doc_id") if line["doc_id"] in chosen]
    texts = _texts(tables, set(order))
    for start in range(0, len(order), _BATCH_DOCUMENTS):
        batch = order[start : start + _BATCH_DOCUMENTS]
        lines = {name: _by_document(tables, name, batch) for name in ("evidence", "conflicts", "rejects")}
        rows = {name: _by_document(tables, name, batch) for name in tables if name.startswith(RECORDS)}
        for line in islice(texts, len(batch)):
            doc_id = line["doc_id"]
            own = {name.removeprefix(RECORDS): by[doc_id][-1] for name, by in rows.items() if doc_id in by}
            yield Parts(chosen[doc_id], line, own, *(by.get(doc_id, ()) for by in lines.values()))


def _texts(tables: Tables, doc_ids: set[str]) -> Iterator[dict[str, Any]]:
    if "documents" in tables:
        yield from tables["documents"].iter_rows(doc_ids=doc_ids, n_at_once=_TEXTS_AT_ONCE)


def _lines(tables: Tables, name: str, *columns: str) -> Iterator[dict[str, Any]]:
    if name in tables:
        yield from tables[name].iter_rows(lambda column: column in columns)


def _by_document(tables: Tables, name: str, doc_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if name in tables:
        key = "_doc_id" if name.startswith(RECORDS) else "doc_id"
        for line in tables[name].iter_rows(doc_ids=doc_ids):
            found[line[key]].append(line)
    return dict(found)


_COUNTED = ("doc_id", "uri", "status", "n_pages", "n_segments", "n_segments_without_text", "n_tokens")


def _documents(tables: Tables) -> Iterator[Summary]:
    for line in _lines(tables, "documents", *_COUNTED, "segments_cited"):
        cited = line.get("segments_cited")
        yield Summary(
            doc_id=line["doc_id"],
            uri=line["uri"],
            status=line["status"],
            n_pages=line["n_pages"],
            n_segments=line["n_segments"],
            n_without_text=line["n_segments_without_text"],
            n_tokens=line["n_tokens"],
            n_segments_cited=None if cited is None else len(set(cited)),
        )


def _add_rejected(by_id: dict[str, Summary], tables: Tables) -> None:
    for line in _lines(tables, "sources", "doc_id", "uri", "outcome", "occurrence", "code"):
        if line["outcome"] == "rejected" and line["occurrence"] == 0 and line["doc_id"] not in by_id:
            by_id[line["doc_id"]] = Summary(line["doc_id"], line["uri"], "rejected", line["code"] or "", has_text=False)


def _count_rejects(by_id: Mapping[str, Summary], tables: Tables, overview: Overview) -> None:
    for line in _lines(tables, "rejects", "doc_id", "code", "detail", "uri"):
        code, detail = line["code"], line["detail"][:_DETAIL_CHARS]
        overview.rejects[code] += 1
        overview.reject_examples.setdefault(code, f"{line['uri']}: {detail}")
        found = by_id.get(line["doc_id"])
        if found is None or code == RejectCode.SOURCE_DUPLICATE.value:
            continue
        found.n_rejects += 1
        if not found.has_text:
            found.note = f"{code}: {detail}"


def _count_evidence(by_id: Mapping[str, Summary], tables: Tables, overview: Overview) -> None:
    for line in _lines(tables, "evidence", "doc_id", "is_in_row", "is_verified", "grade", "agreement"):
        overview.n_quotes += 1
        if line["is_in_row"]:
            overview.grades[line["grade"]] += 1
            overview.agreements[line["agreement"]] += 1
        if (found := by_id.get(line["doc_id"])) is not None:
            found.n_cited += line["is_in_row"]
            found.n_verified += line["is_in_row"] and line["is_verified"]
            found.n_unverified += not line["is_verified"]


def _count_items(tables: Tables, overview: Overview) -> None:
    """Items a page, of each final answer about pages that has lists."""
    kept = {"record", *(code.value for code in RejectCode if code.keeps_values)}
    for line in _lines(tables, "responses", "task", "status", "n_items", "first_page", "last_page"):
        if line["status"] in kept and line["n_items"] is not None and line["first_page"] is not None:
            n_pages = max((line["last_page"] or line["first_page"]) - line["first_page"] + 1, 1)
            overview.items[line["task"]].append(line["n_items"] / n_pages)
