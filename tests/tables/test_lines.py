"""Lines: each has exactly the columns of its table but those that are constant in a run, and can be read back."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.answers.merge import Conflict
from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import Reject, RejectCode
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.schema.policies import Policy
from pipeline.sources import Source
from pipeline.tables.audit import conflict_line
from pipeline.tables.layout import (
    CONFLICTS,
    DOCUMENTS,
    JOURNAL_ANSWERS,
    JOURNAL_DOCUMENTS,
    LINEAGE,
    REJECTS,
    RESPONSES,
    SOURCES,
    Line,
)
from pipeline.tables.lines import (
    Outcome,
    PaidAnswer,
    SettledSource,
    answer_line,
    answer_of,
    document_line,
    document_of,
    read_document_line,
    record_line,
    reject_line,
    response_line,
    source_line,
)

SOURCE = Source("in/ä.pdf", Path("in/ä.pdf"), "d1", "0" * 64, 3, columns=(("customer", "7"),))
DOCUMENT = Document(
    "d1",
    SOURCE.doc_key,
    "in/ä.pdf",
    "pdf",
    "one\ntwo",
    (
        Segment(SegmentKind.PAGE, 0, 7, page_number=1, page_label="iv"),
        Segment(SegmentKind.PAGE, 7, 7, SegmentStatus.FAILED, page_number=2, detail="damaged"),
    ),
    (("title", "T"), ("title", "again")),
)
CONFLICT = Conflict("/parties/0/name", Policy.FIRST, "Acme", ["é", Decimal("1.50")], 2, "01")
ANSWER = PaidAnswer("f" * 64, Generation("p1", "{}", FinishReason.STOP, 9, 3, 2, 0.5), "r0")
LINES: dict[str, tuple[Line, pa.Schema, set[str]]] = {
    "source": (
        source_line(SettledSource("d1", 0, None, "in/x", "e", "new", Outcome.REJECTED, "encrypted")),
        SOURCES,
        {"fingerprint", "engine", "run_id"},
    ),
    "document": (document_line(SOURCE, DOCUMENT, 5, 1, "readers 1", None), DOCUMENTS, {"engine", "run_id"}),
    "response": (
        response_line(
            Prompt("p1", "d1", 2, "t", [1], 9, "{}", attempt=1),
            Chunk("d1", 2, 3, 4, 7, 5, 0, 1, [1]),
            DOCUMENT,
            ANSWER,
            "record",
            7,
        ),
        RESPONSES,
        {"engine", "run_id"},
    ),
    "conflict": (
        conflict_line(CONFLICT, "t", Chunk("d1", 2, 3, 4, 7, 5, 0, 1, [1], part="01"), DOCUMENT),
        CONFLICTS,
        {"engine", "run_id"},
    ),
    "reject": (
        reject_line(Reject(RejectCode.ENCRYPTED, "It asks.", "in/x", "d1"), None),
        REJECTS,
        {"engine", "run_id"},
    ),
    "journal answer": (answer_line(ANSWER), JOURNAL_ANSWERS, set()),
    "journal document": (read_document_line(DOCUMENT, "readers 1"), JOURNAL_DOCUMENTS, set()),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_has_the_columns_of_its_table(name: str) -> None:
    line, schema, constants = LINES[name]
    assert {column for column in line if column != "_customer"} | constants == set(schema.names)
    assert not constants & set(line)
    required = {field.name for field in schema if not field.nullable}
    assert all(line[column] is not None for column in required - constants)


def test_what_a_manifest_carries_goes_to_documents_and_records() -> None:
    record = record_line({"title": "T"}, SOURCE, {"_n_chunks": 1})
    assert record["_customer"] == LINES["document"][0]["_customer"] == "7"
    assert record["values"] == {"title": "T"}
    assert set(record) - {"values", "_customer"} < {field.name for field in LINEAGE}


def test_a_conflict_keeps_its_page() -> None:
    line = LINES["conflict"][0]
    assert (line["pointer"], line["policy"], line["kept"], line["lost"]) == (
        "/parties/0/name",
        "first",
        '"Acme"',
        '["é",1.50]',
    )
    assert (line["chunk_index"], line["part"], line["start"], line["end"]) == (2, "01", 4, 7)
    assert (line["first_page"], line["last_page"], line["start_ms"], line["end_ms"]) == (1, 2, None, None)
    first = conflict_line(CONFLICT, "t", Chunk("d1", 0, 3, 0, 7, 0, 0, 0, [1]), DOCUMENT)
    assert (first["first_page"], first["last_page"]) == (1, 1)


def test_a_conflict_of_a_recording_keeps_its_time() -> None:
    cues = [(0, 3, 1000, 2000), (3, 5, None, None), (5, 9, 2500, None), (9, 12, 9000, 9500)]
    segments = tuple(Segment(SegmentKind.CUE, a, b, start_ms=s, end_ms=e) for a, b, s, e in cues)
    talk = Document("d1", "k", "in/a.vtt", "webvtt", "x" * 12, segments)
    line = conflict_line(CONFLICT, "t", Chunk("d1", 0, 2, 3, 12, 3, 1, 3, [1]), talk)
    assert (line["first_page"], line["last_page"], line["start_ms"], line["end_ms"]) == (None, None, 2500, 9500)


def test_a_response_says_its_pages_and_what_is_of_no_chunk_has_no_index() -> None:
    line = LINES["response"][0]
    assert (line["chunk_index"], line["part"], line["first_page"], line["last_page"], line["n_items"]) == (
        2,
        "",
        1,
        2,
        7,
    )
    prompt = Prompt("p1", "d1", -1, "t", [1], 9, "{}", part="reduce:0.1")
    reduction = response_line(prompt, Chunk("d1", -1, 3, 0, 7, 0, 0, 1, []), DOCUMENT, ANSWER, "record")
    assert (reduction["chunk_index"], reduction["part"], reduction["n_items"]) == (None, "reduce:0.1", None)


@pytest.mark.parametrize("name", ["document", "journal document"])
def test_a_document_comes_back_from_its_line(name: str) -> None:
    line, schema, constants = LINES[name]
    read = pa.Table.from_pylist([{**line, **dict.fromkeys(constants, "x")}], schema=schema).to_pylist()[0]
    assert document_of(read) == DOCUMENT
    assert isinstance(document_of(read).segments[1].status, SegmentStatus)


@pytest.mark.parametrize("name", ["response", "journal answer"])
def test_an_answer_comes_back_from_its_line(name: str) -> None:
    line, schema, constants = LINES[name]
    read = pa.Table.from_pylist([{**line, **dict.fromkeys(constants, "x")}], schema=schema).to_pylist()[0]
    assert answer_of(read, "p1") == ANSWER
    assert answer_of(read, "p2").generation.prompt_id == "p2"


def test_a_damaged_document_is_an_error() -> None:
    with pytest.raises(ValueError, match="segments"):
        document_of({**LINES["journal document"][0], "text": "one"})
