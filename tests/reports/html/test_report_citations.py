from decimal import Decimal
from typing import Any

from pipeline.reports.html.citations import GRADES, Look, build_citations, build_spans
from pipeline.reports.html.losses import build_losses
from pipeline.reports.html.rows import Value, build_task_row, columns_of

FOUND: dict[str, Any] = {
    "task": "t", "pointer": "/a", "is_in_row": True, "value": "1", "quote": "q", "is_verified": True, "grade": "exact",
    "score": 1.0, "agreement": "agrees", "start": 4, "end": 7, "n_places": 1, "first_page": None, "last_page": None,
    "page_label": None, "start_ms": None, "speaker": None,
}  # fmt: skip
LOSS: dict[str, Any] = {
    "task": "t", "pointer": "/a", "kept": "1", "lost": '"x"', "policy": "most_common", "chunk_index": 1, "start": 12,
    "first_page": None, "last_page": None, "start_ms": None,
}  # fmt: skip
SCHEMA = """{"type": "object", "properties": {"a": {"type": ["number", "null"]}, "l~/": {"type": "array", "items": {
"type": "object", "properties": {"n": {"type": "string"}}}}, "j": {}}}"""


def place(**line: Any) -> str:
    return build_citations([FOUND | line], 10, lambda at: f"cue at {at}")[0].place


def look(**line: Any) -> str:
    return build_citations([FOUND | line], 10, lambda at: "")[0].look


def test_a_place_is_a_page_or_a_time_or_the_segment() -> None:
    assert place() == "cue at 4"
    assert place(first_page=3, last_page=3, page_label="3") == "page 3"
    assert place(first_page=3, last_page=4, page_label="iii") == "pages 3 to 4 (iii)"
    assert place(start_ms=727_900, speaker="Alice") == "0:12:07 Alice"
    assert place(start=None, end=None) == ""


def test_looks_go_from_verified_to_lost() -> None:
    assert look() == Look.PLAIN
    assert look(grade="fuzzy") == Look.UNSURE
    assert look(is_verified=False) == Look.WRONG
    assert look(is_in_row=False) == Look.LOST


def test_the_grades_are_those_of_the_quotes() -> None:
    from pipeline.answers.quotes import Grade

    assert [grade.value for grade in Grade] == list(GRADES)


def test_citations_are_numbered_as_they_stand_and_spans_outside_the_text_are_none() -> None:
    lines = [
        FOUND | {"start": 8, "end": 12},
        FOUND | {"start": 8, "end": 9},
        FOUND | {"start": None, "end": None},
        FOUND,
    ]
    found = build_citations(lines, 10, lambda at: "")
    assert [(one.number, one.start) for one in found] == [(1, 4), (2, 8), (3, None), (4, None)]
    assert [(span.start, span.end, span.citation) for span in build_spans(found)] == [(4, 7, 1), (8, 9, 2)]


def test_a_row_has_its_citations_and_losses_where_they_belong() -> None:
    lines = [FOUND, FOUND | {"pointer": "/l~0~1/0/n"}, FOUND | {"pointer": "/gone"}, FOUND | {"is_in_row": False}]
    citations = build_citations(lines, 10, lambda at: "")
    losses = build_losses([LOSS, LOSS | {"pointer": "/gone", "start": 0}], [0, 10, 20])
    row = {"a": 1.5, "l~/": [{"n": "x"}], "j": '{"deep": [null]}', "_extra": None, "_run_id": "r"}
    made = build_task_row("t", row, columns_of(SCHEMA), citations, losses)
    assert [(value.name, value.text) for value in made.values] == [("a", "1.5"), ("l~/", None), ("j", None)]
    found = {value.pointer: value for top in made.values for value in flat(top)}
    assert [one.pointer for one in found["/a"].citations] == ["/a"]
    assert [one.pointer for one in found["/l~0~1/0/n"].citations] == ["/l~0~1/0/n"]
    assert [one.pointer for one in made.outside] == ["/a", "/gone"]
    assert [(one.lost, one.place, one.segment_index) for one in found["/a"].losses] == [("x", "chunk 2", 1)]
    assert [one.pointer for one in made.other_losses] == ["/gone"]
    assert found["/j/deep/0"].is_null
    assert made.lineage == (("run_id", "r"),)


def test_what_nests_without_end_is_shown_as_json_at_last() -> None:
    deep = "[" * 40 + "1.0" + "]" * 40
    made = build_task_row("t", {"a": None, "l~/": None, "j": deep, "_extra": None}, columns_of(SCHEMA), [], [])
    texts = [value.text for value in flat(made.values[2]) if value.text is not None]
    assert texts == ["[" * 29 + "1.0" + "]" * 29]


def test_a_task_without_a_row_still_shows_what_was_cited() -> None:
    made = build_task_row("t", None, (), build_citations([FOUND], 10, lambda at: ""), [])
    assert (made.has_row, len(made.outside)) == (False, 1)


def test_a_value_is_taken_back_from_beside_its_column() -> None:
    row = {"a": None, "l~/": None, "j": None, "_extra": '{"/a": 12345678901234567890.5}'}
    made = build_task_row("t", row, columns_of(SCHEMA), [], [])
    assert made.values[0].text == str(Decimal("12345678901234567890.5"))


def flat(value: Value) -> list[Value]:
    return [value, *(below for child in value.children for below in flat(child))]
