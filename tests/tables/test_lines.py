"""Lines: each has exactly the columns of its table but those that are constant in a run, and can be read back."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import Reject, RejectCode
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.sources import Source
from pipeline.tables.layout import (
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
ANSWER = PaidAnswer("f" * 64, Generation("p1", "{}", FinishReason.STOP, 9, 3, 2, 0.5), "r0")
LINES: dict[str, tuple[Line, pa.Schema, set[str]]] = {
    "source": (
        source_line(SettledSource("d1", 0, None, "in/x", "e", "new", Outcome.REJECTED, "encrypted")),
        SOURCES,
        {"fingerprint", "engine", "run_id"},
    ),
    "document": (document_line(SOURCE, DOCUMENT, 5, 1, "readers 1"), DOCUMENTS, {"engine", "run_id"}),
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
