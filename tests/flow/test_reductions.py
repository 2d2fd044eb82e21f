"""Partial answers on their way to one: level after level, what is lost, what does not fit; and in a whole run."""

import json
from pathlib import Path
from typing import Any

import pytest
from project import Notes, Project

from pipeline.answers.record import Record
from pipeline.errors import JobError
from pipeline.flow.plan import build_plan
from pipeline.flow.reductions import Reduction
from pipeline.flow.remerge import remerge
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.models import resolve_model
from pipeline.prompts.reduction import ReductionMaker
from pipeline.prompts.render import Question
from pipeline.prompts.tokenizers import load_tokenizer

QUESTION = Question("t", "What is it about?", "{}", 40, "Answer with a JSON object with these fields: summary.")
WINDOW = 400
NAMES = ("summary",)


@pytest.fixture(scope="module")
def maker() -> ReductionMaker:
    tokenizer = load_tokenizer("hf", resolve_model("smollm2-135m-instruct", Path()).path)
    return ReductionMaker(tokenizer, QUESTION, WINDOW)


def test_levels_go_on_until_one_answer_is_left(maker: ReductionMaker) -> None:
    texts = [json.dumps({"summary": f"{n} " + "word " * 30}) for n in range(12)]
    reduction = Reduction(maker, "doc", texts, NAMES)
    prompts, seen = reduction.begin(), []
    while prompts:
        assert all(len(prompt.token_ids) + prompt.max_tokens <= WINDOW for prompt in prompts)
        parts = [prompt.part for prompt in prompts]
        seen += parts
        prompts = reduction.settle({part: Record("doc", -1, "t", {"summary": part + " word" * 20}) for part in parts})
    assert reduction.is_done
    assert not reduction.is_stuck
    assert len(reduction.texts) == 1
    assert len(seen) == len(set(seen)) < 12
    assert {part.split(".")[0] for part in seen} == {f"reduce:{level}" for level in range(reduction.level)}


def test_a_lost_answer_is_replaced_by_the_first_of_its_group(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", ['{"summary":"a"}', '{"summary":"b"}'], NAMES)
    (prompt,) = reduction.begin()
    assert reduction.settle({prompt.part: None}) == []
    assert reduction.values == {"summary": "a"}


def test_answers_too_long_to_be_put_together_are_left(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", [json.dumps({"summary": "word " * 150})] * 2, NAMES)
    assert reduction.begin() == []
    assert (reduction.is_stuck, reduction.values) == (True, {})


def test_what_was_not_asked_about_is_not_taken_from_the_answer(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", ['{"summary":"a"}', '{"summary":"b"}'], NAMES)
    (prompt,) = reduction.begin()
    answer = Record("doc", -1, "t", {"summary": "ab", "title": "made up: all chunks agreed on it, none was shown"})
    assert reduction.settle({prompt.part: answer}) == []
    assert reduction.values == {"summary": "ab"}


def test_one_answer_needs_no_prompt(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", ["{}"], NAMES)
    assert reduction.begin() == []
    assert reduction.is_done


SUMMARY = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "minLength": 5, "maxLength": 40, "x-merge": "reduce"},
        "amount": {"type": "integer", "minimum": 0, "maximum": 99, "x-merge": "max"},
    },
    "required": ["summary", "amount"],
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, "a", "b", "c")
    (made.folder / "first.json").write_text(json.dumps(SUMMARY))
    return made


def reductions(project: Project) -> list[dict[str, Any]]:
    return [line for line in project.rows("responses") if line["part"].startswith("reduce:")]


def test_a_run_puts_the_answers_of_the_chunks_together(project: Project) -> None:
    report = project.run()
    asked = reductions(project)
    assert len(asked) == 3
    for row in project.rows():
        (line,) = [line for line in asked if line["doc_id"] == row["_doc_id"]]
        assert (line["chunk_index"], line["status"]) == (None, "record")
        assert row["summary"] == json.loads(line["text"])["summary"]
        assert row["_n_chunks_answered"] == row["_n_chunks"] > 1
    assert report["answers"]["reductions"] == 3


def test_what_was_consolidated_stands_in_conflicts_with_its_pages(project: Project) -> None:
    project.run()
    lost = [line for line in project.rows("conflicts") if line["pointer"] == "/summary"]
    said = {
        (line["doc_id"], json.loads(line["text"])["summary"])
        for line in project.rows("responses")
        if line["task"] == "first" and line["chunk_index"] is not None
    }
    assert {(line["doc_id"], json.loads(line["lost"])) for line in lost} == said
    assert {line["policy"] for line in lost} == {"reduce"}


def test_a_rerun_and_one_that_was_stopped_find_the_reductions(project: Project, tmp_path: Path) -> None:
    project.run()
    assert project.run()["counts"]["attempts"] == 0
    stopped = Project(tmp_path / "other", "a", "b", "c")
    (stopped.folder / "first.json").write_text(json.dumps(SUMMARY))
    for n_answers in (1, 5, 9):
        stopped.run(stop_after=n_answers)
    stopped.run()
    assert stopped.rows() == project.rows()
    assert reductions(stopped) == reductions(project)


def test_a_reduction_that_fails_is_a_reject_and_the_first_answer_stands(project: Project) -> None:
    for name in "defghijk":
        project.write(name)
    project.change("[engine]\n", "[retries]\nmax_attempts = 1\n[engine]\n")
    project.run("engine.synthetic.invalid_ratio=0.5")
    failed = [reject for reject in project.rows("rejects") if reject["code"] == "reduce_failed"]
    assert failed
    rows = {row["_doc_id"]: row for row in project.rows()}
    for reject in failed:
        assert (reject["chunk_index"], reject["task"]) == (None, "first")
        first = next(
            line
            for line in project.rows("responses")
            if (line["doc_id"], line["task"], line["status"]) == (reject["doc_id"], "first", "record")
        )
        assert rows[reject["doc_id"]]["summary"] == json.loads(first["text"])["summary"]


def test_a_policy_that_becomes_reduce_needs_the_model(project: Project) -> None:
    other = json.loads(json.dumps(SUMMARY).replace('"reduce"', '"first"'))
    (project.folder / "first.json").write_text(json.dumps(other))
    project.run()
    (project.folder / "first.json").write_text(json.dumps(SUMMARY))
    made = build_plan(load_job(project.folder / "job.toml"))
    with pytest.raises(JobError, match="pipeline run"):
        remerge(made, Notes(Stop()), Stop())
    report = project.run()
    assert report["counts"]["attempts"] - report["counts"]["reused"] == report["answers"]["reductions"] == 3


@pytest.mark.parametrize("kind", ["array", ["array", "null"]])
def test_a_list_that_is_counted_first_is_not_counted_when_it_is_consolidated(project: Project, kind: Any) -> None:
    names = {"type": kind, "items": {"type": "string", "maxLength": 9}, "x-count-first": True, "x-merge": "reduce"}
    schema = {"type": "object", "properties": {"names": names}, "required": ["names"]}
    (project.folder / "first.json").write_text(json.dumps(schema))
    report = project.run()
    assert report["rejects"] == {}
    asked = reductions(project)
    assert asked
    assert {line["status"] for line in asked} == {"record"}
    assert not any("_n_names" in line["text"] for line in asked)
