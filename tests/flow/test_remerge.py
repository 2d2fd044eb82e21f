"""Rows made again after a change of policy: no engine, the same books, and the next run finds nothing to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_pdf import long_pdf
from project import Notes, Project
from scripted import record_answers

from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import JobError
from pipeline.flow.plan import build_plan
from pipeline.flow.remerge import recorded_job, remerge
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.prompts.prompt import Prompt

Schema = dict[str, Any]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, "a", "b", "c")
    made.change('paths = ["in"]', 'paths = ["in"]\nallow_empty = true')
    made.run()
    return made


def merged(project: Project, *overrides: str) -> dict[str, Any]:
    stop = Stop()
    watcher = Notes(stop)
    project.said = watcher.said
    report, path = remerge(build_plan(load_job(project.folder / "job.toml", overrides=overrides)), watcher, stop)
    assert json.loads(path.read_text()) == report
    assert all(item["closes"] for item in report["sums"])  # type: ignore[attr-defined]
    return report


def edit(project: Project, change: Callable[[Schema], None], task: str = "first") -> None:
    path = project.folder / f"{task}.json"
    schema = json.loads(path.read_text())
    change(schema)
    path.write_text(json.dumps(schema))


def declare(policy: str) -> Callable[[Schema], None]:
    return lambda schema: schema["properties"]["amount"].update({"x-merge": policy})


def answers(project: Project, uri: str) -> list[Any]:
    """What the chunks of a document said of `amount`, in document order."""
    found = [row for row in project.rows("responses") if row["task"] == "first" and row["status"] == "record"]
    doc_ids = {row["_uri"]: row["_doc_id"] for row in project.rows()}
    mine = [row for row in found if row["doc_id"] == doc_ids[uri]]
    return [
        json.loads(row["text"])["amount"] for row in sorted(mine, key=lambda row: (row["chunk_index"], row["part"]))
    ]


def amounts(project: Project) -> dict[str, Any]:
    return {row["_uri"]: row["amount"] for row in project.rows()}


def test_another_policy_makes_other_rows_and_asks_nothing(project: Project) -> None:
    said = {uri: answers(project, uri) for uri in amounts(project)}
    assert amounts(project) == {uri: values[0] for uri, values in said.items()}
    second = project.rows("records/second")
    for policy, function in (("sum", sum), ("max", max), ("last", lambda values: values[-1])):
        edit(project, declare(policy))
        report = merged(project)
        assert report["exit_code"] == 0
        assert report["why"] == {"stale": 3}
        assert report["counts"]["attempts"] == report["counts"]["reused"] == 18
        assert project.said == [
            "Schema first.json of task first changed: 3 documents are stale, no answer to redo, rows are made again."
        ]
        assert amounts(project) == {uri: function(values) for uri, values in said.items()}
    strip = {"_job_fingerprint"}
    assert [{k: v for k, v in row.items() if k not in strip} for row in project.rows("records/second")] == [
        {k: v for k, v in row.items() if k not in strip} for row in second
    ]


def test_what_a_run_does_next_is_nothing(project: Project) -> None:
    edit(project, declare("max"))
    merged(project)
    report = project.run()
    assert (report["counts"]["unchanged"], report["counts"]["documents"]) == (3, 0)
    assert merged(project)["counts"]["unchanged"] == 3


def test_a_merge_gives_the_tables_that_a_run_gives(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.folder, tmp_path / "copy", dirs_exist_ok=False, ignore=shutil.ignore_patterns("copy"))
    edit(project, declare("vote"))
    merged(project)
    merged_tables = {name: project.rows(name) for name in ("records/first", "conflicts", "responses", "rejects")}
    shutil.copy(project.folder / "first.json", tmp_path / "copy" / "first.json")
    shutil.rmtree(project.out)
    shutil.copytree(tmp_path / "copy" / "out", project.out)
    project.run()
    assert {name: project.rows(name) for name in merged_tables} == merged_tables


def test_conflicts_are_those_of_the_last_merge_and_keep_their_place(project: Project) -> None:
    uri = "in/b.txt"
    values = answers(project, uri)
    assert len(set(values)) > 1, "the rehearsal engine has to give two amounts for this test to mean something"
    for policy, kept in (("first", values[0]), ("max", max(values)), ("sum", None)):
        edit(project, declare(policy))
        merged(project)
        mine = [row for row in project.rows("conflicts") if row["uri"] == uri and row["pointer"] == "/amount"]
        mine = [row for row in mine if row["task"] == "first"]
        lost = [(index, value) for index, value in enumerate(values) if kept is not None and value != kept]
        assert [(row["chunk_index"], json.loads(row["lost"])) for row in mine] == lost
        assert all((row["policy"], json.loads(row["kept"])) == (policy, kept) for row in mine)
        spans = (
            {
                (row["chunk_index"], row["part"]): (row["start"], row["end"])
                for row in project.rows("responses")
                if row["doc_id"] == mine[0]["doc_id"]
            }
            if mine
            else {}
        )
        assert all((row["start"], row["end"]) == spans[row["chunk_index"], row["part"]] for row in mine)


def test_a_planted_conflict_keeps_its_page(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "in" / "lease.pdf").write_bytes(long_pdf(5, lines=2))
    project.change('kind = "synthetic"', 'kind = "replay"\nrecording = "answers.jsonl"')
    project.change("max_tokens = 60", "max_tokens = 50")

    def answer(prompt: Prompt) -> Generation:
        who = "Bolt" if prompt.chunk_index == 3 and prompt.task == "first" else "Acme"
        return Generation("", json.dumps({"who": who, "amount": 7}), FinishReason.STOP, 10, 0, 5)

    record_answers(load_job(tmp_path / "job.toml"), answer)
    assert project.run()["counts"]["chunks"] == 5, "a page a chunk"
    (row,) = project.rows("conflicts")
    assert [row[name] for name in ("task", "pointer", "policy", "kept", "lost")] == [
        "first",
        "/who",
        "first",
        '"Acme"',
        '"Bolt"',
    ]
    assert [row[name] for name in ("uri", "chunk_index", "first_page", "last_page")] == ["in/lease.pdf", 3, 4, 4]
    edit(project, lambda schema: schema["properties"]["who"].update({"x-merge": "last"}))
    edit(project, lambda schema: schema["properties"]["who"].update({"x-merge": "vote"}), "second")
    merged(project)
    assert [(r["policy"], r["kept"], r["lost"], r["first_page"]) for r in project.rows("conflicts")] == [
        ("last", '"Acme"', '"Bolt"', 4)
    ]


def test_new_changed_and_lost_files_are_left_to_a_run(project: Project) -> None:
    before = amounts(project)
    said = {uri: answers(project, uri) for uri in before}
    project.write("d")
    project.write("b", "the parties agree to part")
    (project.folder / "in" / "c.txt").unlink()
    edit(project, declare("sum"))
    report = merged(project)
    assert report["why"] == {"stale": 1}
    assert report["counts"]["removed"] == 0
    assert amounts(project) == {**before, "in/a.txt": sum(said["in/a.txt"])}
    assert project.said[-1] == "Left to pipeline run: 1 sources that are new, 1 that changed or are gone."
    report = project.run()
    assert report["why"] == {"changed": 1, "new": 1}
    assert report["counts"]["removed"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda project: project.change("Who signed?", "Who signed it?"), "instructions of task first changed"),
        (
            lambda project: edit(project, lambda schema: schema["properties"]["who"].update(maxLength=10)),
            "schema first.json of task first changed",
        ),
        (lambda project: project.change("max_tokens = 60", "max_tokens = 80"), "the chunking changed"),
        (lambda project: project.change('name = "second"', 'name = "third"'), "task third is new, task second is gone"),
    ],
    ids=["instructions", "answers", "chunking", "tasks"],
)
def test_more_than_the_merging_is_refused_by_name(
    project: Project, change: Callable[[Project], None], said: str
) -> None:
    files = set(project.out.rglob("*"))
    change(project)
    edit(project, declare("sum"), "second")
    with pytest.raises(JobError, match="more has changed than how values are merged") as caught:
        merged(project)
    assert said in str(caught.value)
    assert "Use pipeline run" in str(caught.value)
    assert set(project.out.rglob("*")) == files


def test_an_answer_that_is_not_there_is_refused(project: Project) -> None:
    """A rule that only the validator knows turns an answer down; another would have to be asked for."""
    edit(project, lambda schema: schema.update({"not": {"properties": {"amount": {"minimum": 0}}}}))
    runs = sorted((project.out / "runs").iterdir())
    with pytest.raises(JobError, match="pipeline merge asks no model"):
        merged(project)
    assert sorted((project.out / "runs").iterdir()) == runs
    assert not any("Starting" in sentence for sentence in project.said), "nothing is started"
    assert amounts(project), "what stood there stands"


def test_what_the_model_has_to_make_one_is_refused_until_it_has(project: Project) -> None:
    edit(project, lambda schema: schema["properties"]["who"].update({"x-merge": "reduce"}))
    with pytest.raises(JobError, match="pipeline merge asks no model"):
        merged(project)
    project.run()
    who = [row["who"] for row in project.rows()]
    edit(project, declare("sum"))
    report = merged(project)
    assert report["counts"]["reused"] == report["counts"]["attempts"] > 18
    assert [row["who"] for row in project.rows()] == who


def test_retried_split_and_lost_answers_are_taken_as_they_ended(tmp_path: Path) -> None:
    project = Project(tmp_path, *"abcdef")
    lossy = ("engine.synthetic.invalid_ratio=0.4", "engine.synthetic.truncated_ratio=0.3", "retries.max_attempts=2")
    first = project.run(*lossy)
    assert first["counts"]["rejected_answers"] > 0
    assert any(row["status"] == "split" for row in project.rows("responses"))
    rejects, responses = project.rows("rejects"), project.rows("responses")
    edit(project, declare("max"))
    report = merged(project, *lossy)
    assert report["counts"]["reused"] == report["counts"]["attempts"] == first["counts"]["attempts"]
    assert project.rows("rejects") == rejects
    assert project.rows("responses") == responses
    places = {(row["doc_id"], row["chunk_index"], row["part"], row["start"], row["end"]) for row in responses}
    told = {(r["doc_id"], r["chunk_index"], r["part"], r["start"], r["end"]) for r in project.rows("conflicts")}
    assert told <= places
    assert any(part for _, _, part, _, _ in told)


def test_the_job_is_found_in_the_folder(project: Project) -> None:
    report = project.run("generation.seed=3")
    found = recorded_job(project.out, report)
    assert found == load_job(project.folder / "job.toml", overrides=["generation.seed=3"])
    moved = project.folder / "elsewhere"
    project.out.rename(moved)
    with pytest.raises(JobError, match="Name the job file with --job"):
        recorded_job(moved, report)
    wrong: dict[str, Any]
    for wrong in ({}, {"settings": None}, {"settings": {"output": {}}}, {"settings": {"output": {"folder": "out"}}}):
        with pytest.raises(JobError, match="another version.*--job"):
            recorded_job(project.folder / "out", wrong)
    absolute = {"settings": {**report["settings"], "output": {"folder": str(project.out)}}}
    with pytest.raises(JobError, match="Name the job file with --job"):
        recorded_job(project.out, absolute)
