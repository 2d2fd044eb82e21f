"""Evidence: what became of each quote, and of values whose quote is not there."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.agreement import Agreement
from pipeline.answers.citations import Citation
from pipeline.answers.ground import ReadText, column_at, ground
from pipeline.answers.merge import merge_records
from pipeline.answers.placing import Placing
from pipeline.answers.quotes import Grade
from pipeline.answers.record import Invalid, Kept, Record
from pipeline.errors import RejectCode
from pipeline.prompts.prompt import Chunk
from pipeline.readers.document import Document, Segment, SegmentKind
from pipeline.schema.columns import Kind
from pipeline.schema.json_text import JSON
from pipeline.schema.load import Contract
from pipeline.schema.pointer import child

PAGES = ("Lease of 1 May 2025.\nThe tenant\n", "shall pay 5,000 dollars.\nParties: Ada, Bob.\n", "Signed by Ada.\n")
TEXT = "".join(PAGES)
STARTS = (0, len(PAGES[0]), len(PAGES[0] + PAGES[1]))
DOCUMENT = Document(
    "d",
    "k",
    "u",
    "pdf",
    TEXT,
    tuple(
        Segment(SegmentKind.PAGE, start, start + len(page), page_number=i + 1, page_label=f"{i}-{i}")
        for i, (start, page) in enumerate(zip(STARTS, PAGES, strict=True))
    ),
)
WHOLE = Chunk("d", 0, 1, 0, len(TEXT), 0, 0, 2, [1])
PROPERTIES: dict[str, Any] = {
    "made_on": {"type": ["string", "null"], "format": "date", "x-evidence": True},
    "rent": {"type": ["integer", "null"], "x-evidence": True},
    "parties": {"type": "array", "items": {"type": "string"}, "x-evidence": True},
    "lines": {
        "type": "array",
        "x-key": ["id"],
        "items": {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "what": {"type": ["string", "null"], "x-evidence": True}},
        },
    },
    "total": {"type": "number", "x-merge": "sum", "x-evidence": True},
    "rates": {"type": "object", "additionalProperties": {"type": "integer", "x-evidence": True}},
}
ContractOf = Callable[..., Contract]


@pytest.fixture(scope="module")
def contract(contract_of: ContractOf) -> Contract:
    return contract_of(PROPERTIES)


def record(values: dict[str, JSON], *citations: Citation) -> Record:
    return Record("d", 0, "t", values, "", citations)


def look_up(contract: Contract, pointer: str, quote: str, value: JSON, chunk: Chunk = WHOLE) -> tuple[Any, ...]:
    read = ReadText(DOCUMENT, chunk, 0.85)
    found = read.look_up(Citation(pointer, quote, value), column_at(contract.columns, pointer))
    return found.located.grade, found.words, found.agreement, found.is_verified


def test_a_value_is_held_against_the_words_of_its_quote(contract: Contract) -> None:
    exact, quote = Grade.EXACT, "Lease of 1 May 2025"
    assert look_up(contract, "/made_on", quote, "2025-05-01") == (exact, quote, Agreement.AGREES, True)
    assert look_up(contract, "/made_on", quote, "2025-01-05") == (exact, quote, Agreement.DISAGREES, False)
    assert look_up(contract, "/rent", "shall pay 5,000 dollars", 5000)[2:] == (Agreement.AGREES, True)
    assert look_up(contract, "/rent", "shall pay 5,000 dollars", 500)[2:] == (Agreement.DISAGREES, False)
    assert look_up(contract, "/parties/0", "Parties: Ada", "Ada")[2:] == (Agreement.AGREES, True)
    assert look_up(contract, "/rent", "shall pay 6,000 dollars", 6000) == (
        Grade.MISSING,
        "",
        Agreement.UNCHECKED,
        False,
    )


def test_a_quote_may_cross_a_page_with_its_mark_or_without(contract: Contract) -> None:
    words = "The tenant\nshall pay 5,000 dollars"
    for between in (" ", "\n[page 2, labelled 1-1]\n", " [page 2, labelled 1-1, continued] "):
        grade, found, _, _ = look_up(contract, "/rent", f"The tenant{between}shall pay 5,000 dollars", 5000)
        assert (grade, found) in ((Grade.NORMALIZED, words), (Grade.EXACT, words))
    assert look_up(contract, "/rent", "The tenant [page 9] shall pay 5,000 dollars", 5000)[0] is not Grade.EXACT


def test_what_the_model_did_not_read_it_cannot_have_quoted(contract: Contract) -> None:
    last = Chunk("d", 1, 2, STARTS[2], len(TEXT), STARTS[2], 2, 2, [1])
    assert look_up(contract, "/parties/0", "Signed by Ada.", "Ada", last)[:2] == (Grade.EXACT, "Signed by Ada.")
    assert look_up(contract, "/made_on", "Lease of 1 May 2025", "2025-05-01", last)[0] is Grade.MISSING
    located = ReadText(DOCUMENT, last, 0.85).look_up(Citation("/parties/0", "Ada", "Ada"), contract.columns[2]).located
    assert (located.start, located.end) == (TEXT.rindex("Ada"), TEXT.rindex("Ada") + 3)


ANSWER: dict[str, JSON] = {
    "made_on": "2025-05-01",
    "rent": 7,
    "parties": ["Eve", "Ada", "Zoe", "Bob"],
    "lines": [{"id": 1, "what": "x"}],
    "rates": {"a": 5000, "b": 2},
}
CITED = (
    Citation("/made_on", "1 May 2025", "2025-05-01"),
    Citation("/rent", "7 dollars a week", 7),
    Citation("/parties/0", "Parties: Eve", "Eve"),
    Citation("/parties/1", "Parties: Ada", "Ada"),
    Citation("/parties/2", "", "Zoe"),
    Citation("/parties/3", "Ada, Bob", "Bob"),
    Citation("/lines/0/what", "no such words", "x"),
    Citation("/rates/a", "5,000 dollars", 5000),
    Citation("/rates/b", "5,000 dollars", 2),
)


def test_unverified_values_may_be_kept(contract: Contract) -> None:
    found = ground(record(ANSWER, *CITED), ReadText(DOCUMENT, WHOLE, 0.85), contract.columns, "keep")
    assert isinstance(found, Record)
    assert found.values == ANSWER
    assert [one.is_verified for one in found.evidence] == [True, False, False, True, False, True, False, True, False]
    assert all(one.is_let_in for one in found.evidence)


def test_or_not_let_in(contract: Contract) -> None:
    found = ground(record(ANSWER, *CITED), ReadText(DOCUMENT, WHOLE, 0.85), contract.columns, "null")
    assert isinstance(found, Record)
    assert found.values == {
        "made_on": "2025-05-01",
        "rent": None,
        "parties": ["Ada", "Bob"],
        "lines": [{"id": 1, "what": None}],
        "rates": {"a": 5000, "b": None},
    }
    let_in = [one.citation.pointer for one in found.evidence if one.is_let_in]
    assert let_in == ["/made_on", "/parties/0", "/parties/1", "/rates/a"]
    assert len(found.evidence) == len(CITED)


def test_or_their_answer_is_none(contract: Contract) -> None:
    read = ReadText(DOCUMENT, WHOLE, 0.85)
    answer = record(ANSWER, *CITED)
    for given_ in (answer, Kept(answer, RejectCode.LIMIT_REACHED, "full", None)):
        found = ground(given_, read, contract.columns, "reject")
        assert isinstance(found, Invalid)
        assert found.code is RejectCode.UNVERIFIED
        assert found.detail == 'the quote for /rent is not in the document: "7 dollars a week", and 4 more like it'
    good = ground(record({"rent": 5000}, Citation("/rent", "pay 5,000", 5000)), read, contract.columns, "reject")
    assert isinstance(good, Record)
    none = ground(record({"rent": 1}, Citation("/rent", " ", 1)), read, contract.columns, "reject")
    assert isinstance(none, Invalid)
    assert none.detail == "/rent has no quote"
    other = ground(record({"rent": 1}, Citation("/rent", "pay 5,000", 1)), read, contract.columns, "reject")
    assert isinstance(other, Invalid)
    assert other.detail == 'the quote for /rent does not say that value: "pay 5,000"'


def test_the_column_of_a_pointer(contract: Contract) -> None:
    kinds = {pointer: column_at(contract.columns, pointer).kind for pointer in ("/rent", "/parties", "/parties/7")}
    assert kinds == {"/rent": Kind.INTEGER, "/parties": Kind.LIST, "/parties/7": Kind.STRING}
    assert column_at(contract.columns, "/lines/0/id").kind is Kind.INTEGER
    assert column_at(contract.columns, "/rates/any").kind is Kind.INTEGER
    assert column_at(contract.columns, "/nothing/there").kind is Kind.JSON


names = st.sampled_from(["Ada", "ada", "Bob", "Eve", "Zoe"])
answers: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "made_on": st.none() | st.sampled_from(["2025-05-01", "2025-05-02"]),
        "rent": st.none() | st.integers(0, 3),
        "parties": st.lists(names, max_size=3),
        "lines": st.lists(st.fixed_dictionaries({"id": st.integers(0, 2), "what": st.none() | names}), max_size=3),
        "total": st.integers(0, 3),
        "rates": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2),
    }
)


def cited_places(answer: dict[str, Any]) -> list[str]:
    """Where an answer of this schema has values that a quote is asked for."""
    found = [f"/{name}" for name in ("made_on", "rent", "total") if answer[name] is not None]
    found += [child("", "parties", i) for i in range(len(answer["parties"]))]
    found += [child("", "lines", i, "what") for i, line in enumerate(answer["lines"]) if line["what"] is not None]
    return found + [child("", "rates", key) for key in answer["rates"]]


def follow(values: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        values = values[int(name)] if isinstance(values, list) else values[name]
    return values


@given(st.lists(answers, min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_each_cited_value_is_in_the_row_or_said_not_to_be(contract: Contract, given_: list[dict[str, Any]]) -> None:
    records = [Record("d", i, "t", values) for i, values in enumerate(given_)]
    random.Random(0).shuffle(records)
    merged = merge_records(records, contract).values
    placing = Placing(merged, contract.columns)
    conflicts = {(c.pointer, c.chunk_index) for c in merge_records(records, contract).conflicts}
    for one in records:
        for pointer in cited_places(one.values):
            place, is_there = placing.place(one.values, pointer)
            mine = follow(one.values, pointer)
            if is_there and pointer != "/total":
                ours = follow(merged, place)
                assert mine == ours or str(mine).casefold() == str(ours).casefold()
            if not is_there:
                assert (place, one.chunk_index) in conflicts or pointer.startswith("/lines/")


@given(answers)
@settings(max_examples=200, deadline=None)
def test_the_values_of_one_record_all_have_a_place(contract: Contract, values: dict[str, Any]) -> None:
    merged = merge_records([Record("d", 0, "t", values)], contract).values
    placing = Placing(merged, contract.columns)
    ids = [line["id"] for line in values["lines"]]
    for pointer in cited_places(values):
        place, is_there = placing.place(values, pointer)
        assert is_there or (pointer.startswith("/lines/") and len(set(ids)) < len(ids))
        assert follow(merged, place) is not None


def test_the_places_of_a_tuple_do_not_move(contract_of: ContractOf) -> None:
    number = {"type": "number", "x-evidence": True}
    one = {"a": {"type": "array", "prefixItems": [number, number], "items": False}}
    cited = (Citation("/a/0", "no such words", 7), Citation("/a/1", "pay 5,000", 5000))
    columns = contract_of(one).columns
    found = ground(record({"a": [7, 5000]}, *cited), ReadText(DOCUMENT, WHOLE, 0.85), columns, "null")
    assert isinstance(found, Record)
    assert found.values == {"a": [None, 5000]}
    assert [(one.citation.pointer, one.is_let_in) for one in found.evidence] == [("/a/0", False), ("/a/1", True)]


def test_a_cut_answer_that_is_refused_is_cut_still(contract: Contract) -> None:
    cut = Kept(record({"rent": 7}, Citation("/rent", "no such words", 7)), RejectCode.SALVAGED, "it was cut", None)
    found = ground(cut, ReadText(DOCUMENT, WHOLE, 0.85), contract.columns, "reject")
    assert found == Invalid(
        RejectCode.TRUNCATED, 'it was cut, but the quote for /rent is not in the document: "no such words"'
    )
