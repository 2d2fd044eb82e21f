"""Whole evaluations over folders with chosen rows: figures, nested fields, gates, and two folders side by side."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import evaluating
import pytest
from evaluating import SCHEMA, Judged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import JobError, OutputError
from pipeline.reports.evaluation import evaluate as evaluation
from pipeline.reports.evaluation.evaluate import write_evaluation
from pipeline.reports.evaluation.telling import limit_text, told


@pytest.fixture
def project(tmp_path: Path) -> Judged:
    return Judged(tmp_path / "p")


def outcomes(field: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in field["outcomes"].items() if n}


def test_a_list_with_a_key_is_compared_by_it(project: Judged) -> None:
    found = [
        {"sku": "B2", "amount": 5, "notes": ["n"]},
        {"sku": "a1", "amount": 3, "notes": []},
        {"sku": "X9", "amount": 1, "notes": ["m"]},
    ]
    project.write({"a.txt": {"lines": found}, "b.txt": {"lines": []}, "c.txt": {"lines": found[:1]}})
    lines = [{"sku": "A1", "amount": 3}, {"sku": "B2", "amount": 6}, {"sku": "C3", "amount": None}]
    fields = project.fields(
        project.gold_lines({"a.txt": {"lines": lines}, "b.txt": {"lines": []}, "c.txt": {"lines": None}})
    )
    assert list(fields) == ["lines[].sku", "lines[].amount"]
    assert outcomes(fields["lines[].sku"]) == {"correct": 2, "omitted": 1, "hallucinated": 2, "absent": 1}
    assert fields["lines[].sku"]["exact"]["recall"][0] == 1 / 3
    assert outcomes(fields["lines[].amount"]) == {"correct": 1, "wrong": 1, "hallucinated": 2, "absent": 2}
    assert {"item": "sku B2", "gold": 6, "found": 5, "outcome": "wrong"}.items() <= fields["lines[].amount"][
        "examples"
    ][0].items()


def test_without_a_single_annotated_item_all_properties_count(project: Judged) -> None:
    project.write({"a.txt": {"lines": [{"sku": "B2", "amount": None, "notes": ["n", "m"]}]}})
    fields = project.fields(project.gold_lines({"a.txt": {"lines": []}}))
    assert {name: outcomes(field) for name, field in fields.items()} == {
        "lines[].sku": {"hallucinated": 1},
        "lines[].amount": {"absent": 1},
        "lines[].notes": {"hallucinated": 2},
    }


def test_an_object_is_annotated_property_by_property(project: Judged) -> None:
    project.write({name: {"address": {"city": "Lyon", "zip": "69001"}} for name in ("a.txt", "b.txt")} | {"c.txt": {}})
    gold: dict[str, Any] = {
        "a.txt": {"address": {"city": "LYON"}},
        "b.txt": {"address": None},
        "c.txt": {"address": {"city": "Nice"}},
    }
    fields = project.fields(project.gold_lines(gold))
    assert list(fields) == ["address.city"]  # nobody annotates the zip, so an absent address says nothing of it
    assert outcomes(fields["address.city"]) == {"correct": 1, "hallucinated": 1, "omitted": 1}


def test_values_that_columns_cannot_hold_are_compared_too(project: Judged) -> None:
    project.write({"a.txt": {"pages": 2**70, "fee": 1, "anything": {"b": [1.50, "x"]}, "signed_on": "2025-01-31"}})
    gold = {"a.txt": {"pages": 2**70, "anything": {"b": [1.5, "X"]}}}
    fields = project.fields(project.gold_lines(gold))
    assert outcomes(fields["pages"]) == {"correct": 1}
    assert outcomes(fields["anything"]) == {"correct": 1}
    assert fields["anything"]["exact"]["recall"][0] == 0


def test_how_the_model_answered(project: Judged) -> None:
    project.write({"a.txt": {"pages": 1}})
    of = {"doc_id": "id-in/a.txt"}
    project.write_responses(
        [
            {**of, "chunk_index": 0, "attempt": 0, "status": "invalid_json", "duration_s": 1.0, "n_prompt_tokens": 10},
            {**of, "chunk_index": 0, "attempt": 1, "status": "record", "duration_s": 2.0, "n_output_tokens": 3},
            {**of, "chunk_index": 1, "attempt": 0, "status": "split", "duration_s": 3.0},
            {**of, "chunk_index": 1, "part": "0", "status": "limit_reached", "duration_s": 4.0},
            {**of, "chunk_index": 1, "part": "1", "status": "truncated", "duration_s": 5.0, "n_cached_tokens": 4},
            {**of, "task": "other", "status": "record", "duration_s": 99.0},
        ]
    )
    report = project.evaluate(project.gold_lines({"a.txt": {"pages": 1}}))
    answers = {name: value for name, value in report["answers"].items() if not name.endswith("ratio")}
    assert answers == {"n_questions": 3, "n_valid": 2, "n_first_valid": 1, "n_attempts": 5}
    assert report["answers"]["valid_ratio"][0] == 2 / 3
    assert report["answers"]["first_valid_ratio"][0] == 1 / 4
    assert report["latency_s"] == pytest.approx({"n": 5, "p50": 3.0, "p95": 4.8, "p99": 4.96, "max": 5.0})
    assert report["tokens"] == {"input": 10, "cached": 4, "output": 3, "n_documents": 0, "per_document": None}


def test_quotes_that_are_there(project: Judged) -> None:
    project.write({"a.txt": {"pages": 1}})
    of = {"doc_id": "id-in/a.txt", "agreement": "unchecked"}
    project.write_evidence(
        [
            {**of, "is_in_row": True, "is_verified": True, "grade": "exact"},
            {**of, "is_in_row": True, "is_verified": False, "grade": "missing"},
            {**of, "is_in_row": False, "is_verified": True, "grade": "fuzzy"},
            {**of, "is_in_row": False, "is_verified": False, "grade": "missing"},
        ]
    )
    gold = project.gold_lines({"a.txt": {"pages": 1}})
    evidence = project.evaluate(gold)["evidence"]
    assert evidence["ratio"][0] == 0.5
    assert (evidence["n_in_row_verified"], evidence["n_in_row"]) == (1, 2)
    assert evidence["grades"] == {"exact": 1, "fuzzy": 1, "missing": 2}
    (gate,) = project.evaluate(gold, "gates.min_evidence_ratio=0.6")["gates"]
    assert gate["name"] == "min_evidence_ratio"
    assert not gate["passes"]


@pytest.mark.parametrize(
    ("found", "limit", "text"),
    [(0.799, 0.8, "0.799"), (0.8, 0.8, "0.80"), (0.8001, 0.8, "0.8001"), (0.41, 0.8, "0.41"), (2, 3, "2.00")],
)
def test_a_figure_is_told_on_its_side_of_the_limit(found: float, limit: float, text: str) -> None:
    assert told(found, limit, 2) == text


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(0, 100))
def test_no_figure_reads_as_on_the_other_side(found: float, limit: float) -> None:
    text = told(found, limit, 2)
    assert (float(text) < limit, float(text) > limit) == (found < limit, found > limit)
    assert float(limit_text(limit)) == limit


def test_a_folder_to_compare_with_that_is_none(project: Judged) -> None:
    project.write({"a.txt": {"pages": 1}})
    with pytest.raises(JobError, match=r"no runs/\*\.json\. --against takes the output folder of another run"):
        project.evaluate(project.gold_lines({"a.txt": {"pages": 1}}), against=project.folder)


@pytest.mark.parametrize("limit", ["9", "-1", "{ pages = 2 }"])
def test_a_limit_of_f1_that_cannot_be_kept_is_refused(project: Judged, limit: str) -> None:
    project.write({"a.txt": {"pages": 1}})
    with pytest.raises(JobError, match=r"gates\.min_f1.*(less|greater) than or equal to"):
        project.evaluate(project.gold_lines({"a.txt": {"pages": 1}}), f"gates.min_f1={limit}")


def test_gates_and_their_sentences(project: Judged) -> None:
    project.write({"a.txt": {"pages": 1, "party": "x"}, "b.txt": {"pages": 2}})
    project.write_responses([{"status": "invalid_json", "duration_s": 3.0}])
    gold = project.gold_lines({"a.txt": {"pages": 1, "fee": None}, "b.txt": {"pages": 3, "fee": None}})
    every = project.evaluate(gold, "gates.min_f1=0.8", "gates.min_valid_ratio=0.5", "gates.max_p95_s=2.5")["gates"]
    assert [(gate["name"], gate["field"], gate["passes"]) for gate in every] == [
        ("min_f1", "pages", False),
        ("min_f1", "fee", True),
        ("min_valid_ratio", None, False),
        ("max_p95_s", None, False),
    ]
    told = [gate["sentence"] for gate in every]
    assert told[0] == (
        'gates.min_f1 is 0.8, and field "pages" of task contract has F1 0.50 (normalized; 0.00 to 1.00, 2 documents).'
    )
    assert told[1] == 'gates.min_f1 is 0.8, and field "fee" of task contract is absent from all 2 documents, rightly.'
    assert told[2].startswith("gates.min_valid_ratio is 0.5, and 0.000 of the answers are valid (0.000 to ")
    assert told[3] == "gates.max_p95_s is 2.5, and the 95th percentile of 1 answer is 3.00 s."
    one = project.evaluate(gold, "gates.min_f1={ 'contract.pages' = 0.4, party = 0.1 }")["gates"]
    assert [(gate["field"], gate["passes"], gate["found"]) for gate in one] == [
        ("pages", True, 0.5),
        ("party", False, None),
    ]
    assert one[1]["sentence"] == 'gates.min_f1 is 0.1, and field "party" of task contract is not annotated.'
    assert project.evaluate(gold)["gates"] == []
    with pytest.raises(JobError, match=r"gates.min_f1 names 'page', and there is no such field; did you mean 'pages'"):
        project.evaluate(gold, "gates.min_f1={ page = 0.4 }")


def test_a_gate_for_a_field_of_two_tasks(tmp_path: Path) -> None:
    project = Judged(tmp_path / "p", tasks=("contract", "second"))
    project.write({"a.txt": {"pages": 1}})
    gold = project.gold_lines({"a.txt": {"second.pages": 1}})
    with pytest.raises(JobError, match=r"several tasks have; write contract.pages"):
        project.evaluate(gold, "gates.min_f1={ pages = 0.4 }")
    gates = project.evaluate(gold, "gates.min_f1={ 'second.pages' = 0.4, 'contract.pages' = 0.4 }")["gates"]
    assert [(gate["task"], gate["passes"]) for gate in gates] == [("second", True), ("contract", False)]
    gates = project.evaluate(gold, "gates.min_f1={ 'second.pages' = 0.4, 'contract.pages' = 0.4 }", task="second")[
        "gates"
    ]
    assert [(gate["task"], gate["passes"]) for gate in gates] == [("second", True)]


def test_two_folders(project: Judged) -> None:
    project.write({"a.txt": {"pages": 1, "tags": ["x"]}, "b.txt": {"pages": 2, "tags": []}, "c.txt": {"pages": 3}})
    project.write_responses([{"status": "record", "duration_s": 2.0, "n_prompt_tokens": 30}])
    before = project.write({"a.txt": {"pages": 9, "tags": ["x", "y"]}, "b.txt": {"pages": 2, "tags": ["z"]}}, out="old")
    project.write_responses([{"status": "record", "duration_s": 1.0, "n_prompt_tokens": 20}], out="old")
    gold: dict[str, Any] = {
        "a.txt": {"pages": 1, "tags": ["x"]},
        "b.txt": {"pages": 3, "tags": ["z"]},
        "c.txt": {"pages": 3},
    }
    against = project.evaluate(project.gold_lines(gold), against=before)["against"]
    task = against["tasks"]["contract"]
    assert (task["n_documents"], task["only_now"], task["only_before"]) == (2, [], [])
    pages, tags = task["fields"]["pages"], task["fields"]["tags"]
    assert (pages["before"][0], pages["now"][0], pages["difference"][0]) == (0.0, 0.5, 0.5)
    assert pages["better"] == [{"doc_id": "id-in/a.txt", "uri": "in/a.txt", "gold": 1, "before": 9, "now": 1}]
    assert (pages["n_worse"], tags["n_better"], tags["n_worse"]) == (0, 1, 1)
    assert tags["worse"][0]["before"] == ["z"]
    assert against["latency_s"]["p95_ratio"] == 2.0
    assert against["tokens"]["input_ratio"] == 1.5
    protocol = {limit["name"]: (limit["passes"], limit["sentence"]) for limit in against["protocol"]}
    assert protocol["valid_json"] == (
        True,
        "yes: 100.0 % of the answers are valid JSON of the schema (at least 100 %).",
    )
    assert protocol["acceptable"][0] is False
    assert protocol["acceptable"][1] == "no: 60.0 % of 5 annotated values are as the gold has them (at least 95 %)."
    assert protocol["latency"] == (
        False,
        "no: the 95th percentile of latency is 2.00 times what it was (at most 1.2 times).",
    )


def test_a_folder_of_another_schema(project: Judged) -> None:
    other = {
        **SCHEMA,
        "properties": {"pages": {"type": "string"}, "title": {"type": "string"}, "party": {"type": "string"}},
    }
    Judged(project.folder, other).write({"a.txt": {"pages": "one", "title": "t", "party": "Roe"}}, out="old")
    project = Judged(project.folder)
    project.write({"a.txt": {"pages": 1, "party": "Roe", "fee": 2}})
    gold = project.gold_lines({"a.txt": {"pages": 1, "party": "Roe", "fee": 2}})
    task = project.evaluate(gold, against=project.folder / "old")["against"]["tasks"]["contract"]
    assert (task["only_now"], task["only_before"]) == (["pages", "fee"], ["title"])
    assert list(task["fields"]) == ["party"]
    with pytest.raises(JobError, match=r"has rows in which 'fee' does not stand as the schema has it now"):
        project.evaluate(gold, "output.folder='old'")


def test_a_folder_without_a_run(project: Judged) -> None:
    with pytest.raises(JobError, match="There is no committed run in"):
        project.evaluate(project.gold('{"uri": "a.txt", "pages": 1}'))


def test_a_damaged_table_is_said(project: Judged) -> None:
    project.write({"a.txt": {"pages": 1}})
    next((project.folder / "out" / "records").rglob("*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(OutputError, match="records"):
        project.evaluate(project.gold('{"uri": "a.txt", "pages": 1}'))


def test_the_file_is_json_and_whole(project: Judged) -> None:
    out = project.write({"a.txt": {"fee": 1.25, "party": "x\u2028<script>"}})
    report = project.evaluate(project.gold_lines({"a.txt": {"fee": 0.1, "party": None}}))
    path = write_evaluation(report, out)
    assert path == out / "evaluation.json"
    assert json.loads(path.read_text())["tasks"]["contract"]["fields"]["fee"]["examples"][0]["found"] == 1.25
    assert [other.name for other in out.iterdir() if "evaluation" in other.name] == ["evaluation.json"]
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputError, match=r"Cannot write .*evaluation.json"):
        write_evaluation(report, out)


SMALL = st.sampled_from
DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "party": SMALL([None, "Ann Roe", "roe, ann", "Bob", ""]),
        "pages": SMALL([None, 1, 2, 0]),
        "tags": st.none() | st.lists(SMALL(["x", "X", "y"]), max_size=4),
    },
)
SETS = st.lists(st.tuples(DOCUMENT, st.none() | DOCUMENT), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def one_contract() -> Iterator[None]:
    """The same schema is read hundreds of times; once will do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "load_contract", cache(evaluation.load_contract))  # type: ignore[attr-defined]
        patch.setattr(evaluating, "load_contract", cache(evaluating.load_contract))  # type: ignore[attr-defined]
        yield


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SETS)
def test_a_second_computation_agrees(
    tmp_path: Path, one_contract: None, sets: list[tuple[dict[str, Any], dict[str, Any] | None]]
) -> None:
    """Counts, precision, recall and F1 against plain Python written from the definitions."""
    if not any(gold for gold, _ in sets):
        return
    project = Judged(tmp_path / "p")
    project.write({f"{i}.txt": row for i, (_, row) in enumerate(sets)})
    fields = project.fields(project.gold_lines({f"{i}.txt": gold for i, (gold, _) in enumerate(sets)}))
    assert fields.keys() == {name for gold, _ in sets for name in gold}
    for name, field in fields.items():
        wanted = second_count(name, sets, fold=True)
        assert Counter(field["outcomes"]) == wanted
        for grade, counts in (("normalized", wanted), ("exact", second_count(name, sets, fold=False))):
            n_found = counts["correct"] + counts["wrong"] + counts["hallucinated"]
            n_gold = counts["correct"] + counts["wrong"] + counts["omitted"]
            score = field[grade]
            assert (score["precision"] or [None])[0] == (counts["correct"] / n_found if n_found else None)
            assert (score["recall"] or [None])[0] == (counts["correct"] / n_gold if n_gold else None)
            assert score["support"] == n_gold
            both = n_found + n_gold
            assert (score["f1"] or [None])[0] == (pytest.approx(2 * counts["correct"] / both) if both else None)


def second_count(name: str, sets: list[tuple[dict[str, Any], dict[str, Any] | None]], *, fold: bool) -> Counter[str]:
    counts: Counter[str] = Counter(correct=0, wrong=0, omitted=0, hallucinated=0, absent=0)
    for gold, row in sets:
        if name in gold:
            is_list = name == "tags"
            ours = gold[name] if is_list else [gold[name]]
            theirs = (row or {}).get(name) if is_list else [(row or {}).get(name)]
            ours, theirs = ([one for one in side or [] if one not in (None, "")] for side in (ours, theirs))
            left = [folded(one) if fold else one for one in theirs]
            n_right = 0
            for one in ours:
                if (wanted := folded(one) if fold else one) in left:
                    left.remove(wanted)
                    n_right += 1
            n_missing = len(ours) - n_right
            n_swapped = 0 if is_list else min(n_missing, len(left))
            counts.update(
                correct=n_right,
                wrong=n_swapped,
                omitted=n_missing - n_swapped,
                hallucinated=len(left) - n_swapped,
                absent=int(not ours and not theirs),
            )
    return counts


def folded(value: Any) -> Any:
    return "ann roe" if value == "roe, ann" else value.lower() if isinstance(value, str) else value
