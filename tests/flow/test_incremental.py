"""A rerun does what is new and nothing else, says why, and the tables tell which rows are current."""

import json
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from project import Notes, Project

from pipeline.errors import RejectCode
from pipeline.flow.local import run_job
from pipeline.flow.options import EVERYTHING, RetryRejects, RunOptions
from pipeline.flow.plan import build_plan
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.tables.locks import Lane

Counts = dict[str, int]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "a", "b", "c")


def loaded(project: Project) -> bool:
    return any("Starting the synthetic engine" in sentence for sentence in project.said)


def counts(report: dict[str, object], *names: str) -> list[int]:
    found = report["counts"]
    assert isinstance(found, dict)
    return [found[name] for name in names]


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of several partitions, in an order of their own."""
    return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def test_a_rerun_with_nothing_new_does_nothing(project: Project) -> None:
    first = project.run()
    rows, files = project.rows(), set(project.out.rglob("*.parquet"))
    again = project.run()
    assert counts(first, "documents", "reused") == [3, 0]
    assert counts(again, "unchanged", "documents", "attempts") == [3, 0, 0]
    assert again["exit_code"] == 0
    assert not loaded(project)
    assert set(project.out.rglob("*.parquet")) == files
    assert project.rows() == rows
    assert len(rows) == 3


def test_only_a_new_document_is_done(project: Project) -> None:
    project.run()
    project.write("d")
    report = project.run()
    assert counts(report, "unchanged", "documents") == [3, 1]
    assert report["why"] == {"new": 1}
    assert [row["_uri"] for row in project.partition(report["run_id"])] == ["in/d.txt"]
    assert len(project.rows()) == 4


def test_a_changed_document_supersedes_its_row_and_both_stay(project: Project) -> None:
    first = project.run()
    before = {row["_uri"]: row["_doc_key"] for row in project.rows()}
    project.write("b", "the parties agree to part")
    second = project.run()
    assert second["why"] == {"changed": 1}
    now = {row["_uri"]: row["_doc_key"] for row in project.rows()}
    assert now["in/b.txt"] != before["in/b.txt"]
    assert {uri for uri in now if now[uri] == before[uri]} == {"in/a.txt", "in/c.txt"}
    assert len(project.partition(first["run_id"])) == 3
    assert len(project.partition(second["run_id"])) == 1


def test_the_documented_query_gives_the_current_rows(project: Project) -> None:
    project.run()
    project.write("b", "the parties agree to part")
    (project.folder / "in" / "c.txt").unlink()
    (project.folder / "in" / "empty.txt").write_text("")
    project.run()
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    query = next(block for block in readme.split("```sql\n")[1:] if "max(run_id)" in block).split("```")[0]
    query = query.replace("out/demo", str(project.out)).replace("records/overview", "records/first")
    rows = duckdb.connect().execute(query).df()
    assert sorted(rows["_uri"]) == ["in/a.txt", "in/b.txt"] == sorted(row["_uri"] for row in project.rows())
    assert set(rows["_doc_key"]) == {row["_doc_key"] for row in project.rows()}


def test_a_removed_document_is_reported_once_and_comes_back_without_asking(project: Project) -> None:
    project.run()
    text = (project.folder / "in" / "b.txt").read_text()
    (project.folder / "in" / "b.txt").unlink()
    report = project.run()
    assert counts(report, "unchanged", "removed", "documents") == [2, 1, 0]
    assert {row["_uri"] for row in project.rows()} == {"in/a.txt", "in/c.txt"}
    assert counts(project.run(), "unchanged", "removed") == [2, 0]
    (project.folder / "in" / "b.txt").write_text(text)
    report = project.run()
    assert report["why"] == {"new": 1}
    assert counts(report, "attempts", "reused", "known_documents") == [6, 6, 1]
    assert not loaded(project)
    assert len(project.rows()) == 3


def test_new_instructions_redo_their_own_task_and_say_so_first(project: Project) -> None:
    project.run()
    second = project.rows("records/second")
    project.change("Who signed?", "Who signed it, and where?")
    report = project.run()
    assert project.said[0] == "Instructions of task first changed: 3 documents are stale, 9 answers to redo."
    assert project.said[1].startswith("Starting the synthetic engine")
    assert counts(report, "attempts", "reused", "known_documents") == [18, 9, 3]
    assert report["why"] == {"stale": 3}
    strip = {"_job_fingerprint"}
    assert [{k: v for k, v in row.items() if k not in strip} for row in project.rows("records/second")] == [
        {k: v for k, v in row.items() if k not in strip} for row in second
    ]


def test_a_schema_that_only_the_validator_sees_asks_nothing(project: Project) -> None:
    project.run()
    schema = json.loads((project.folder / "first.json").read_text())
    schema["not"] = {"properties": {"amount": {"const": 100}}}
    (project.folder / "first.json").write_text(json.dumps(schema))
    report = project.run()
    assert project.said == [
        "Schema first.json of task first changed: 3 documents are stale, no answer to redo, rows are made again."
    ]
    assert counts(report, "attempts", "reused") == [18, 18]


def test_a_changed_schema_says_how_many_answers(project: Project) -> None:
    project.run()
    schema = json.loads((project.folder / "first.json").read_text())
    schema["properties"]["who"]["maxLength"] = 10
    (project.folder / "first.json").write_text(json.dumps(schema))
    project.run()
    assert project.said[0] == "Schema first.json of task first changed: 3 documents are stale, 9 answers to redo."


def test_the_other_pdf_reader_reads_again_and_is_called_by_its_name(project: Project) -> None:
    project.run()
    report = project.run("input.pdf_reader=pypdfium2")
    said = "The PDF reader (input.pdf_reader) changed: 3 documents are stale, no answer to redo, rows are made again."
    assert project.said == [said]
    assert counts(report, "known_documents", "reused") == [0, 18], "read again; their text asks nothing new"
    assert counts(project.run("input.pdf_reader=pypdfium2"), "unchanged") == [3]
    project.run()
    assert project.said == [said]


def test_another_temperature_redoes_all(project: Project) -> None:
    project.run()
    report = project.run("generation.temperature=0.5")
    assert "temperature changed" in project.said[0]
    assert "18 answers to redo" in project.said[0]
    assert counts(report, "reused") == [0]


def test_a_new_task_leaves_the_others_answers(project: Project) -> None:
    project.change('[[tasks]]\nname = "second"', '[[tasks]]\nname = "third"')
    project.run()
    project.change('[[tasks]]\nname = "third"', '[[tasks]]\nname = "second"')
    report = project.run()
    assert project.said[0] == ("Task second is new, task third is gone: 3 documents are stale, 9 answers to redo.")
    assert counts(report, "reused") == [18], "the same words to the model are the same question, whatever its name"


def test_a_rejected_source_is_not_read_again_until_it_changes(project: Project) -> None:
    (project.folder / "in" / "bad.txt").write_bytes(b"")
    project.run()
    assert counts(project.run(), "unchanged", "rejected_sources") == [4, 0]
    project.write("bad")
    report = project.run()
    assert report["why"] == {"changed": 1}
    assert len(project.rows()) == 4


def test_a_gate_looks_at_what_stands_in_the_tables(project: Project) -> None:
    (project.folder / "in" / "bad.txt").write_bytes(b"")
    assert project.run("gates.max_reject_ratio=0.1")["exit_code"] == 5
    assert project.run("gates.max_reject_ratio=0.1")["exit_code"] == 5
    assert project.run("gates.max_reject_ratio=0.3")["exit_code"] == 0


def test_carried_columns_and_duplicates_of_a_manifest(project: Project) -> None:
    project.change('paths = ["in"]', 'manifest = "list.csv"')
    manifest = project.folder / "list.csv"
    manifest.write_text(
        "uri,doc_id,team\nin/a.txt,one,red\nin/b.txt,two,red\nin/c.txt,one,red\nin/none.txt,three,red\n"
    )
    report = project.run()
    assert report["rejects"] == {"source_duplicate": 1, "source_missing": 1}
    assert counts(project.run(), "unchanged") == [4]
    manifest.write_text(manifest.read_text().replace("two,red", "two,blue"))
    report = project.run()
    assert report["why"] == {"relisted": 1}
    assert counts(report, "attempts", "reused") == [6, 6]
    assert {row["_doc_id"]: row["_team"] for row in project.rows()} == {"one": "red", "two": "blue"}


def test_a_duplicate_that_comes_later_does_not_hide_the_row(project: Project) -> None:
    project.change('paths = ["in"]', 'manifest = "list.csv"')
    manifest = project.folder / "list.csv"
    manifest.write_text("uri,doc_id\nin/a.txt,one\n")
    project.run()
    manifest.write_text("uri,doc_id\nin/a.txt,one\nin/b.txt,one\n")
    assert project.run()["why"] == {"new": 1}
    assert [row["_uri"] for row in project.rows()] == ["in/a.txt"]


def test_shards_cover_the_whole_once(project: Project) -> None:
    for name in "defghij":
        project.write(name)
    whole = Project(project.folder / "other", *"abcdefghij")
    whole.run()
    n_documents = [counts(project.run(options=RunOptions(lane=Lane(index, 3))), "documents")[0] for index in (1, 2, 3)]
    assert sum(n_documents) == 10
    assert min(n_documents) > 0
    assert counts(project.run(), "unchanged") == [10]
    assert ordered(project.rows()) == ordered(whole.rows())


def test_a_limit_removes_nothing(project: Project) -> None:
    project.run()
    assert counts(project.run(options=RunOptions(limit=1)), "unchanged", "removed") == [1, 0]


def test_retry_rejects_takes_up_what_failed_and_climbs_on(project: Project) -> None:
    lossy = ("engine.synthetic.invalid_ratio=0.5", "retries.max_attempts=1")
    first = project.run(*lossy)
    n_lost = counts(first, "rejected_answers")[0]
    assert n_lost > 3
    assert counts(project.run(*lossy), "unchanged") == [3]
    none = RunOptions(retry=RetryRejects(frozenset({RejectCode.TRUNCATED})))
    assert counts(project.run(*lossy, options=none), "unchanged") == [3]
    retry = RunOptions(retry=RetryRejects())
    second = project.run(*lossy, options=retry)
    assert second["why"] == {
        "retried": len([row for row in project.rows("sources", varying=True) if row["run_id"] == second["run_id"]])
    }
    assert counts(second, "rejected_answers")[0] < n_lost
    n_asked = counts(second, "attempts")[0] - counts(second, "reused")[0]
    assert n_asked == n_lost, "only what failed is asked again, once"
    attempts = {row["attempt"] for row in project.rows("responses")}
    assert attempts == {0, 1}


def test_retry_by_code_reads_lost_sources_again(project: Project) -> None:
    (project.folder / "in" / "bad.txt").write_bytes(b"")
    project.run()
    report = project.run(options=RunOptions(retry=RetryRejects(frozenset({RejectCode.EMPTY_FILE}))))
    assert report["why"] == {"retried": 1}
    assert report["rejects"] == {"empty_file": 1}


def test_attempts_are_recorded_and_the_ladder_ends(project: Project) -> None:
    report = project.run("engine.synthetic.invalid_ratio=0.4", "engine.synthetic.truncated_ratio=0.2")
    responses = project.rows("responses")
    by_question: dict[str, list[int]] = {}
    for row in responses:
        by_question.setdefault(row["prompt_id"], []).append(row["attempt"])
    assert all(attempts == list(range(len(attempts))) for attempts in by_question.values())
    assert max(map(len, by_question.values())) == 3
    assert counts(report, "attempts") == [len(responses)]
    lost = [row for row in project.rows("rejects") if row["chunk_index"] is not None]
    assert all(row["detail"].endswith("(after 3 attempts)") for row in lost)


def test_a_stopped_run_commits_what_is_whole_and_the_next_one_the_rest(project: Project) -> None:
    for name in "defghij":
        project.write(name)
    slow = ("engine.synthetic.latency_s=0.02", "engine.synthetic.n_parallel=2")
    first = project.run(*slow, stop_after=20)
    assert first["exit_code"] == 75
    assert first["stopped"] == "SIGTERM"
    n_done, n_left = counts(first, "documents", "left")
    assert n_done + n_left == 10
    assert 0 < n_done < 10
    second = project.run(*slow)
    assert second["exit_code"] == 0
    assert counts(second, "unchanged", "documents") == [n_done, n_left]
    n_asked = [
        n_attempts - n_reused for n_attempts, n_reused in (counts(r, "attempts", "reused") for r in (first, second))
    ]
    whole = Project(project.folder / "other", *"abcdefghij")
    assert counts(whole.run(*slow), "attempts") == [sum(n_asked)], "a drained run repeats nothing"
    for table in ("records/first", "responses", "documents"):
        assert ordered(project.rows(table)) == ordered(whole.rows(table))
    assert not list((project.out / "journal").rglob("*.parquet"))


def test_a_time_limit_that_is_over_does_nothing_and_says_so(project: Project) -> None:
    stop = Stop(time_limit_s=1.0)
    report, _ = run_job(build_plan(load_job(project.folder / "job.toml")), RunOptions(), Notes(stop), stop)
    assert report["exit_code"] == 75
    assert report["stopped"] == "time limit of 1s"
    assert counts(report, "left") == [3]


def test_a_drain_does_not_wait_for_ever(project: Project) -> None:
    endless = ("engine.synthetic.latency_s=600", "engine.drain_timeout_s=0.5")
    stop = Stop()
    job = load_job(project.folder / "job.toml", overrides=endless)
    threading.Timer(3.0, stop.ask, ["SIGTERM"]).start()
    report, _ = run_job(build_plan(job), EVERYTHING, Notes(stop), stop)
    assert report["exit_code"] == 75
    assert counts(report, "documents", "left") == [0, 3]
    assert counts(project.run(), "documents", "known_documents") == [3, 3]
