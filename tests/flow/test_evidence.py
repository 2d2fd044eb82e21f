"""Whole runs over answers with quotes: the evidence table, what is let into the rows, coverage, the gate."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from project import Notes, Project
from reportlab.pdfgen.canvas import Canvas
from scripted import record_answers

from pipeline.engines.engine import FinishReason, Generation
from pipeline.flow.plan import build_plan
from pipeline.flow.remerge import remerge
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.prompts.prompt import Prompt

JOB = """
name = "nightly"
[input]
manifest = "manifest.csv"
n_workers = 1
[[tasks]]
name = "first"
instructions = "Who meets?"
schema = "first.json"
max_tokens = 2000
[[tasks]]
name = "second"
instructions = "Who pays?"
schema = "second.json"
max_tokens = 200
[engine]
kind = "replay"
recording = "recording.jsonl"
[retries]
max_attempts = 1
[output]
folder = "out"
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": ["integer", "null"], "x-evidence": True},
        "names": {"type": "array", "items": {"type": "string"}, "x-evidence": True},
    },
    "required": ["number", "names"],
    "additionalProperties": False,
}
VTT = "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Ada>We meet on Monday\n\n00:04.000 --> 00:09.000\n<v Bob>at seven.\n"


def number(quote: str, value: int) -> dict[str, Any]:
    return {"quote": quote, "number": value}


def name(quote: str, value: str) -> dict[str, Any]:
    return {"quote": quote, "names": value}


ANSWERS = {
    ("page", 0): {"number": number("The number is 12", 12), "names": [name("Signed: Ada Noor", "Ada Noor")]},
    ("talk", 0): {
        "number": None,
        "names": [name("on monday at seven", "Monday"), name("[00:00:04 Bob]", "Bob")],
    },
    ("a", 0): {
        "number": number("Paragraph 1 of a", 7),
        "names": [name("the partys agre to meet again", "parties")],
    },
    ("a", 1): {
        "number": number("Paragraph 5 of a", 5),
        "names": [name("nothing like this", "Eve"), name("of a", "A")],
    },
}


class Evidenced(Project):
    """A text of several chunks, a PDF of two pages, a transcript; the second task asks for no quotes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "a")
        (folder / "job.toml").write_text(JOB)
        (folder / "first.json").write_text(json.dumps(SCHEMA))
        (folder / "in" / "talk.vtt").write_text(VTT)
        (folder / "manifest.csv").write_text("uri,doc_id\nin/a.txt,a\nin/page.pdf,page\nin/talk.vtt,talk\n")
        canvas = Canvas(str(folder / "in" / "page.pdf"), invariant=True)
        for text in ("The first page is about nothing, but has words on it.", "The number is 12. Signed: Ada Noor."):
            canvas.drawString(72, 720, text)
            canvas.showPage()
        canvas.save()
        self.change('folder = "out"', 'folder = "out"\n[chunking]\nmax_tokens = 110')
        record_answers(load_job(folder / "job.toml"), self.answer)

    def answer(self, prompt: Prompt) -> Generation:
        found = ANSWERS.get((prompt.doc_id, prompt.chunk_index), {"number": None, "names": []})
        values = found if prompt.task == "first" else {"who": "Ada", "amount": 1}
        return Generation("", json.dumps(values), FinishReason.STOP, 10, 0, 5)

    def evidence(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The lines by document and quote."""
        return {(line["doc_id"], line["quote"]): line for line in self.rows("evidence")}


@pytest.fixture
def project(tmp_path: Path) -> Evidenced:
    return Evidenced(tmp_path / "project")


def row_of(project: Evidenced, doc_id: str) -> dict[str, Any]:
    return next(row for row in project.rows() if row["_doc_id"] == doc_id)


def test_every_cited_value_has_a_line_that_leads_to_its_words(project: Evidenced) -> None:
    report = project.run()
    assert report["evidence"] == {
        "cited": 9,
        "verified": 7,
        "cited_in_rows": 8,
        "verified_in_rows": 6,
        "grades": {"exact": 6, "normalized": 1, "parts": 0, "fuzzy": 1, "missing": 1},
    }
    lines = project.evidence()
    texts = {document["doc_id"]: document["text"] for document in project.rows("documents")}
    for (doc_id, _), line in lines.items():
        assert line["found_text"] == (None if line["start"] is None else texts[doc_id][line["start"] : line["end"]])
        assert (line["grade"] == "missing") == (line["start"] is None)
    page = lines["page", "The number is 12"]
    assert (page["first_page"], page["last_page"], page["pointer"], page["agreement"]) == (2, 2, "/number", "agrees")
    talk = lines["talk", "on monday at seven"]
    assert (talk["start_ms"], talk["end_ms"], talk["speaker"]) == (1000, 9000, "Ada")
    lost, kept = lines["a", "Paragraph 5 of a"], lines["a", "Paragraph 1 of a"]
    assert (lost["pointer"], lost["is_in_row"], lost["is_verified"], lost["chunk_index"]) == ("/number", False, True, 1)
    assert (kept["is_in_row"], kept["is_verified"], kept["agreement"]) == (True, False, "disagrees")
    bob = lines["talk", "[00:00:04 Bob]"]
    assert (bob["found_text"], bob["agreement"], bob["speaker"]) == ("at seven.", "agrees", "Bob")
    assert lines["a", "of a"]["pointer"] == "/names/2"
    assert row_of(project, "a")["names"] == ["parties", "Eve", "A"]
    assert row_of(project, "a")["number"] == 7


def test_coverage_says_which_segments_were_cited(project: Evidenced) -> None:
    project.run()
    cited = {document["doc_id"]: document["segments_cited"] for document in project.rows("documents")}
    assert cited["page"] == [1]
    assert cited["talk"] == [0, 1]
    assert 1 < len(cited["a"]) < 9


def test_a_job_without_quotes_has_an_empty_table_and_no_coverage(tmp_path: Path) -> None:
    project = Project(tmp_path / "plain", "a")
    report = project.run()
    assert report["evidence"]["cited"] == 0
    assert project.rows("evidence") == []
    assert [document["segments_cited"] for document in project.rows("documents")] == [None]


def test_what_becomes_of_unverified_values_can_be_changed_without_asking_again(project: Evidenced) -> None:
    first = project.run()
    project.change("[retries]", '[evidence]\nunverified = "null"\n[retries]')
    again = project.run()
    assert first["counts"]["reused"] == 0
    assert again["counts"]["reused"] == again["counts"]["attempts"] == first["counts"]["attempts"]
    row = row_of(project, "a")
    assert (row["number"], row["names"]) == (5, ["parties", "A"])
    assert [line["is_in_row"] for line in project.evidence().values()].count(False) == 2
    assert again["evidence"]["cited_in_rows"] == again["evidence"]["verified_in_rows"] == 7
    assert project.run()["counts"]["unchanged"] == 3


def test_a_remerge_is_enough_for_it(project: Evidenced) -> None:
    project.run()
    project.change("[retries]", '[evidence]\nmin_score = 1\nunverified = "null"\n[retries]')
    plan = build_plan(load_job(project.folder / "job.toml"))
    report, _ = remerge(plan, Notes(Stop()), Stop())
    assert report["counts"]["documents"] == 3  # type: ignore[index]
    assert row_of(project, "a")["names"] == ["A"]


def test_an_answer_may_be_lost_for_a_value_that_is_not_there(project: Evidenced) -> None:
    project.change("[retries]", '[evidence]\nunverified = "reject"\n[retries]')
    report = project.run()
    assert report["rejects"] == {"no_answer": 1, "unverified": 2}
    details = {reject["chunk_index"]: reject["detail"] for reject in project.rows("rejects")}
    assert details[1] == 'the quote for /names/0 is not in the document: "nothing like this"'
    assert report["evidence"]["cited"] == report["evidence"]["verified"] == 4


def test_too_few_verified_values_fail_the_gate_also_when_nothing_is_new(project: Evidenced) -> None:
    project.change("[retries]", "[gates]\nmin_evidence_ratio = 0.8\n[retries]")
    sentence = "gates.min_evidence_ratio is 0.8, and 7 of 9 cited values are verified (0.778)."
    for _ in range(2):
        report = project.run()
        assert (report["exit_code"], report["failed_gates"]) == (5, [sentence])
    assert report["counts"]["unchanged"] == 3
    assert project.run("gates.min_evidence_ratio=0.7")["exit_code"] == 0


def test_a_folder_of_an_earlier_version_goes_on(project: Evidenced) -> None:
    project.run()
    (path,) = (project.out / "sources").glob("*/*.parquet")
    lines = pq.read_table(path, partitioning=None)
    pq.write_table(lines.drop_columns(["n_cited", "n_verified"]), path)
    assert project.run()["counts"]["unchanged"] == 3
