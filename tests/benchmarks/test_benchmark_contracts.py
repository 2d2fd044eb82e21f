"""The benchmark over labelled contracts: their labels in the words of our schema, and a whole rehearsal of it."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import contracts
import pytest


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ('Gulf South, Inc. ("GSMS"); PSS Merger Corp.', ["Gulf South, Inc.", "PSS Merger Corp."]),
        ('A Ltd ("A"); B Ltd (the "B"); (individually "Party", collectively "Parties")', ["A Ltd", "B Ltd"]),
        ('A Ltd ("Party A"); Party A, Party B (individually a "Party")', ["A Ltd"]),
        ('A  Ltd,; A Ltd ("A")', ["A Ltd"]),
        ("", []),
    ],
)
def test_a_label_of_parties_is_a_list_of_names(answer: str, names: list[str]) -> None:
    assert list(contracts.iter_parties(answer)) == names


def test_a_label_of_a_day_has_its_month_first() -> None:
    assert contracts.parse_date("12/14/97") == date(1997, 12, 14)
    assert contracts.parse_date("6/1/20") == date(2020, 6, 1)
    assert contracts.parse_date("1/2/2004") == date(2004, 1, 2)
    assert contracts.parse_date("perpetual") is contracts.parse_date("[]/[]/2010") is None


def label(**answers: str) -> dict[str, Any]:
    named = dict.fromkeys(("Document Name", "Parties", "Agreement Date", "Effective Date", "Governing Law"), "")
    return {"pdf": "x/a.PDF", "clauses": {name: {"answer": text} for name, text in {**named, **answers}.items()}}


def test_what_is_not_labelled_is_absent_and_what_no_value_can_say_is_not_annotated() -> None:
    gold = contracts.gold_of(label(**{"Document Name": "LEASE", "Agreement Date": "in May"}))
    assert gold == {"doc_id": "a", "title": "LEASE", "parties": [], "governing_law": None, "effective_date": None}


@pytest.mark.corpus
def test_the_whole_of_it_as_a_rehearsal(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out, keep = tmp_path / "docs", tmp_path / "keep"
    options = ["--corpus", str(corpus), "--contracts", "2", "--out", str(out), "--keep", str(keep)]
    monkeypatch.setattr(sys, "argv", ["contracts.py", *options, "--set", "engine.kind=synthetic"])
    assert contracts.main() == 0
    measured = json.loads((out / "contracts.json").read_text())
    assert measured["run"]["counts"]["documents"] == measured["contracts"] == 2
    page = (out / "contracts.md").read_text()
    assert all(f"| {field} |" in page for field in ("title", "parties", "agreement_date", "governing_law"))
    assert str(corpus) not in page + json.dumps(measured)
    assert str(tmp_path) not in page + json.dumps(measured)
    assert (keep / "out" / "report" / "index.html").is_file()
    assert "gate failed" not in capfd.readouterr().err
