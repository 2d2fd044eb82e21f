"""When a found value is the gold's: exactly, and as a person would say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reports.evaluation.comparable import normal_key
from pipeline.reports.evaluation.matching import Counts, Mistake, Pair, judge
from pipeline.schema.columns import Column, Kind

TEXT = Column("party", Kind.STRING)
TEXTS = Column("tags", Kind.LIST, children=(Column("item", Kind.STRING),))


def outcome(gold: object, found: object, column: Column = TEXT) -> tuple[Counts, Counts]:
    judgement = judge(Pair("f", None, gold, found, column))  # type: ignore[arg-type]
    return judgement.exact, judgement.normalized


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        ("Delaware", " delaware\n"),
        ("Doe, John", "John Doe"),
        ("John Doe", "DOE, JOHN"),
        ("ACME, Inc.", "Acme Inc"),
        ("U.S. Steel Corp.", "US Steel Corp"),
        ("\u201cAlder\u201d Mills", '"Alder" Mills'),
        ("\ufb01ve years", "five years"),
        ("Jean\u2013Luc", "jean-luc"),
        ("Stra\u00dfe", "STRASSE"),
        ("cafe\u0301", "caf\u00e9"),
        ("30 (thirty) days.", "30 (thirty) days"),
        (
            "The term of this agreement, as set out below, is renewed.",
            "the term of this agreement, as set out below, is renewed",
        ),
        ("\u6771\u4eac\u90fd\u3002", "\u6771\u4eac\u90fd"),
    ],
)
def test_as_a_person_would_say(gold: str, found: str) -> None:
    exact, normalized = outcome(gold, found)
    assert exact == Counts(wrong=1)
    assert normalized == Counts(correct=1)
    assert outcome(found, gold)[1] == Counts(correct=1)
    assert outcome([gold], [found], TEXTS)[1] == Counts(correct=1)


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        ("John Doe", "Doe John"),
        ("1.5", "15"),
        ("-5", "5"),
        ("5 %", "5"),
        ("not guilty", "guilty"),
        ("a, b, c", "c a b"),
        ("resume", "r\u00e9sum\u00e9"),
        ("***", "---"),
        ("null", "none"),
    ],
)
def test_what_is_another_value(gold: str, found: str) -> None:
    assert outcome(gold, found) == (Counts(wrong=1), Counts(wrong=1))


@pytest.mark.parametrize(
    ("kind", "gold", "found", "is_same"),
    [
        (Kind.INTEGER, 3, 3.0, True),
        (Kind.FLOAT, 0.10, 0.1, True),
        (Kind.FLOAT, 0.1, 0.11, False),
        (Kind.BOOLEAN, True, False, False),
        (Kind.BOOLEAN, False, False, True),
        (Kind.DATE, "2025-01-31", "2025-01-31", True),
        (Kind.TIMESTAMP, "2025-01-31T12:00:00+02:00", "2025-01-31T10:00:00Z", True),
        (Kind.TIME, "12:00:00", "12:00:01Z", False),
        (Kind.JSON, {"a": [1, None]}, {"a": [1.0, None]}, True),
    ],
)
def test_other_types_go_by_value(kind: Kind, gold: object, found: object, is_same: bool) -> None:
    wanted = Counts(correct=1) if is_same else Counts(wrong=1)
    assert outcome(gold, found, Column("f", kind)) == (wanted, wanted)


def test_false_and_0_are_values() -> None:
    assert outcome(None, False, Column("f", Kind.BOOLEAN))[0] == Counts(hallucinated=1)
    assert outcome(0, None, Column("f", Kind.INTEGER))[0] == Counts(omitted=1)


def test_what_says_nothing_is_absent() -> None:
    assert outcome(None, "  ")[0] == Counts(absent=1)
    assert outcome("", None)[0] == Counts(absent=1)
    assert outcome("x", "")[0] == Counts(omitted=1)
    assert outcome(None, [], TEXTS)[0] == Counts(absent=1)
    assert outcome([None, " "], None, TEXTS)[0] == Counts(absent=1)


def test_a_list_is_compared_item_by_item() -> None:
    judgement = judge(Pair("tags", None, ["a", "a", "b", "Roe, Jane"], ["B", "a", "c", "Jane Roe"], TEXTS))
    assert judgement.exact == Counts(correct=1, omitted=3, hallucinated=3)
    assert judgement.normalized == Counts(correct=3, omitted=1, hallucinated=1)
    assert judgement.mistakes == (Mistake("omitted", "a", None), Mistake("hallucinated", None, "c"))


def test_items_that_are_objects_are_compared_whole() -> None:
    item = Column("item", Kind.STRUCT, children=(Column("name", Kind.STRING), Column("n", Kind.INTEGER)))
    column = Column("people", Kind.LIST, children=(item,))
    gold, found = [{"name": "Ann", "n": 1}, {"name": "Bob", "n": None}], [{"name": "ANN.", "n": 1.0}, {"name": "bob"}]
    assert outcome(gold, found, column)[1] == Counts(correct=2)
    assert outcome(gold, [{"name": "Ann", "n": 2}], column)[1] == Counts(omitted=2, hallucinated=1)


VALUES = st.one_of(st.none(), st.sampled_from(["a", "A.", "b", "Roe, Jane", "Jane Roe", "", "jane roe"]))


@settings(deadline=None)
@given(st.lists(VALUES, max_size=8), st.lists(VALUES, max_size=8))
def test_items_are_conserved(gold: list[str | None], found: list[str | None]) -> None:
    judgement = judge(Pair("tags", None, gold, found, TEXTS))
    for counts in (judgement.exact, judgement.normalized):
        assert counts.correct + counts.omitted == sum(bool(item) for item in gold)
        assert counts.correct + counts.hallucinated == sum(bool(item) for item in found)
    assert judgement.normalized.correct >= judgement.exact.correct
    assert len(judgement.mistakes) == judgement.normalized.n_mistakes


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_itself(text: str) -> None:
    assert normal_key(text, TEXT).plain == normal_key(f"  {text} ", TEXT).plain
    assert outcome(text, text) in [(Counts(correct=1),) * 2, (Counts(absent=1),) * 2]


def test_half_a_surrogate_pair_is_compared() -> None:
    assert outcome("\ud800", "\ud800")[1] == Counts(correct=1)
