"""What is put to the model to be consolidated, and how it is grouped into levels."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.record import Invalid, Record
from pipeline.answers.reduce import contested_names, pack, partial_answers, reduced_names, reduction_contract
from pipeline.answers.validate import parse_answer
from pipeline.schema.load import Contract

PROPERTIES = {
    "title": {"type": "string"},
    "summary": {"type": "string", "x-merge": "reduce"},
    "risks": {"type": ["string", "null"], "x-merge": "reduce"},
}


def record(index: int, part: str = "", **values: str | None) -> Record:
    return Record("d", index, "t", dict(values), part)


def test_what_is_asked_for(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of(PROPERTIES, required=["title", "summary"])
    assert reduced_names(contract) == ("summary", "risks")
    asked = reduction_contract(contract)
    assert [column.name for column in asked.columns] == ["summary", "risks"]
    assert parse_answer('{"summary": "s", "risks": null}', asked) == {"summary": "s", "risks": None}
    for refused in ('{"summary": "s"}', '{"summary": 1, "risks": null}', '{"summary": "s", "risks": "", "title": ""}'):
        assert isinstance(parse_answer(refused, asked), Invalid)


def test_only_different_answers_are_put_together(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of(PROPERTIES)
    records = [
        record(1, "1", summary="c", risks=None),
        record(0, summary="a", risks="x"),
        record(1, "0", summary="b", risks=" "),
        record(2, summary="a", risks="x"),
    ]
    assert contested_names(records, contract) == ("summary",)
    assert partial_answers(records, ("summary",)) == ['{"summary":"a"}', '{"summary":"b"}', '{"summary":"c"}']
    assert partial_answers(records, ("risks",)) == ['{"risks":"x"}']


def test_pack_says_when_no_level_would_end() -> None:
    assert pack([40, 30, 50, 20], 100) == [range(2), range(2, 4)]
    assert pack([60, 60, 60], 100) is None
    assert pack([200], 100) == [range(1)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(50, 200))
def test_groups_tile_the_texts_and_fit(lengths: list[int], room: int) -> None:
    groups = pack(lengths, room)
    if groups is None:
        assert all(a + b > room for a, b in pairwise(lengths))
        return
    assert [i for group in groups for i in group] == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in group) <= room for group in groups)
    assert len(groups) < len(lengths) or len(lengths) == 1
