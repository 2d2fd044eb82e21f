"""Odd turns that a folder and its input may take between runs, and within one: each has cost a row or an answer."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from project import Notes, Project

from pipeline.errors import JobError, OutputError, Reject, RejectCode
from pipeline.flow import intake
from pipeline.flow.intake import Intake
from pipeline.flow.local import run_job
from pipeline.flow.options import RetryRejects, RunOptions
from pipeline.flow.plan import build_plan
from pipeline.flow.standing import Standing
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.readers.pool import ReadingPool
from pipeline.reports.ledger import Ledger
from pipeline.sources import Entry, Source, load_source
from pipeline.tables.state import State, load_state

LOSSY = ("engine.synthetic.invalid_ratio=0.5", "retries.max_attempts=1")
NOT_UTF_8 = b"caf\xe9"
ALL_INVALID = ("engine.synthetic.invalid_ratio=1", "retries.max_attempts=1")
RETRY = RunOptions(retry=RetryRejects())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "a", "b", "c")


def list_in_manifest(project: Project, *lines: str) -> None:
    if 'paths = ["in"]' in (project.folder / "job.toml").read_text():
        project.change('paths = ["in"]', 'manifest = "list.csv"')
    (project.folder / "list.csv").write_text("uri,doc_id\n" + "\n".join(lines) + "\n")


def count(report: dict[str, object], name: str) -> int:
    counts = report["counts"]
    assert isinstance(counts, dict)
    found: int = counts[name]
    return found


def loosen(project: Project) -> None:
    """A schema that is another one for the fingerprint and the same one for the model: rows are made again."""
    schema = json.loads((project.folder / "first.json").read_text())
    schema["not"] = {"properties": {"amount": {"const": 100}}}
    (project.folder / "first.json").write_text(json.dumps(schema))


# What is listed, and how


def test_a_duplicate_that_is_listed_no_more_is_removed(project: Project) -> None:
    list_in_manifest(project, "in/a.txt,one", "in/b.txt,one", "in/c.txt,two")
    assert project.run()["rejects"] == {"source_duplicate": 1}
    list_in_manifest(project, "in/a.txt,one", "in/c.txt,two")
    assert count(project.run(), "removed") == 1
    assert project.rows("rejects") == []
    assert len(project.rows()) == 2
    assert count(project.run(), "removed") == 0


def test_a_missing_file_that_is_listed_elsewhere_is_told_from_there(project: Project) -> None:
    list_in_manifest(project, "in/a.txt,one", "nowhere.txt,two")
    project.run()
    list_in_manifest(project, "in/a.txt,one", "elsewhere.txt,two")
    assert project.run()["why"] == {"relisted": 1}
    assert [reject["uri"] for reject in project.rows("rejects")] == ["elsewhere.txt"]
    assert count(project.run(), "unchanged") == 2


def test_the_same_bytes_under_another_ending_are_read_by_its_reader(project: Project) -> None:
    spoken = json.dumps([{"speaker": "Ann", "text": "We agree on all points.", "start": 0, "end": 2}])
    for name in ("talk.txt", "talk.json"):
        (project.folder / "in" / name).write_text(spoken)
    list_in_manifest(project, "in/talk.txt,one")
    project.run()
    list_in_manifest(project, "in/talk.json,one")
    assert project.run()["why"] == {"relisted": 1}
    assert [(row["format"], row["text"]) for row in project.rows("documents")] == [("json", "We agree on all points.")]


@pytest.mark.parametrize("paths", ['["in"]', '["."]', '["in/**/*"]', '["i*/**"]', '["in/*"]'])
def test_the_output_folder_is_no_input(tmp_path: Path, paths: str) -> None:
    project = Project(tmp_path, "a")
    project.change('folder = "out"', 'folder = "in/out"')
    project.change('paths = ["in"]', f"paths = {paths}")
    project.out = tmp_path / "in" / "out"
    n_sources = count(project.run(), "sources")
    assert n_sources >= 1
    assert count(project.run(), "unchanged") == n_sources
    assert count(project.run(), "sources") == n_sources


def test_odd_doc_ids_are_each_their_own_document(project: Project) -> None:
    odd = ["one", "one:0", "one:0:first", "x" * 50_000, '"new\nline"', "..", "/etc/passwd", "\u202e"]
    list_in_manifest(project, *(f"in/{'abc'[i % 3]}.txt,{doc_id}" for i, doc_id in enumerate(odd)))
    report = project.run()
    assert count(report, "documents") == len(odd)
    assert {row["_doc_id"] for row in project.rows()} == {doc_id.strip('"') for doc_id in odd}
    assert count(project.run(), "unchanged") == len(odd)


def test_odd_names_and_contents_end_in_a_recorded_state(project: Project) -> None:
    folder = project.folder / "in"
    (folder / "blank.txt").write_text(" \n\n\t\n")
    (folder / "nothing to see.txt").write_text("\u200b\n\n\ufeff")
    (folder / "zero.txt").write_bytes(b"\0\0\0")
    (folder / "x.txt").write_text("x")
    (folder / "new\nline.txt").write_text("A line.")
    (folder / f"{'n' * 250}.txt").write_text("A line.")
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("A line.")
    (folder / "half.json").write_text('[{"speaker": "A\\udc00", "text": "a \\ud800 b", "start": 0, "end": 1}]')
    report = project.run()
    assert report["rejects"] == {"no_text": 2}
    assert count(report, "documents") == 9
    assert count(project.run(), "unchanged") == 11


def test_a_value_that_is_not_utf_8_is_a_mistake_in_the_job(project: Project) -> None:
    with pytest.raises(JobError, match="not UTF-8"):
        load_job(project.folder / "job.toml", overrides=[f'input.paths=["{os.fsdecode(NOT_UTF_8)}"]'])
    folder = project.folder / os.fsdecode(NOT_UTF_8)
    folder.mkdir()
    (project.folder / "job.toml").rename(folder / "job.toml")
    with pytest.raises(JobError, match="not UTF-8"):
        load_job(folder / "job.toml")


# A file that does not hold still


def meanwhile(patch: pytest.MonkeyPatch, uri: str, act: Callable[[], object]) -> None:
    """Do something after a file was hashed and before it is read."""
    give = ReadingPool.give

    def given(self: ReadingPool, source: Source) -> None:
        if source.uri == uri:
            act()
        give(self, source)

    patch.setattr(ReadingPool, "give", given)


def test_a_file_that_changes_before_it_is_read_does_not_stand_under_its_old_content(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.folder / "in" / "b.txt"
    before = path.read_text()
    with monkeypatch.context() as patch:
        meanwhile(patch, "in/b.txt", lambda: path.write_text("Something else altogether."))
        report = project.run()
    assert report["rejects"] == {"source_unreadable": 1}
    assert count(report, "documents") == 2
    path.write_text(before)  # as it was when it was hashed
    assert project.run()["why"] == {"changed": 1}
    assert {row["text"] for row in project.rows("documents") if row["uri"] == "in/b.txt"} == {before}


def test_a_file_that_is_gone_for_a_moment_is_taken_up_by_the_next_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.folder / "in" / "b.txt"
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        meanwhile(patch, "in/b.txt", path.unlink)
        assert project.run()["rejects"] == {"source_unreadable": 1}
    path.write_bytes(before)
    assert project.run()["why"] == {"changed": 1}
    assert project.rows("rejects") == []
    assert len(project.rows()) == 3


def test_a_document_that_is_lost_comes_back_and_is_lost_again(project: Project) -> None:
    path = project.folder / "in" / "b.txt"
    whole = path.read_bytes()
    project.run()
    for content, why, n_rows in (
        (b"", "changed", 2),
        (whole, "changed", 3),
        (b"", "changed", 2),
        (whole, "changed", 3),
    ):
        path.write_bytes(content)
        report = project.run()
        assert report["why"] == {why: 1}
        assert count(report, "attempts") == count(report, "reused")
        assert len(project.rows()) == n_rows
        assert len(project.rows("rejects")) == 3 - n_rows


# Retries


def test_what_a_retry_won_is_kept_when_rows_are_made_again(project: Project) -> None:
    assert count(project.run(*LOSSY), "rejected_answers") > 3
    for _ in range(8):
        report = project.run(*LOSSY, options=RETRY)
    assert project.rows("rejects") == []
    loosen(project)
    report = project.run(*LOSSY)
    assert report["why"] == {"stale": 3}
    assert count(report, "attempts") == count(report, "reused") > 18
    assert count(report, "rejected_answers") == 0


def test_a_failed_chain_is_not_asked_again_without_being_told(project: Project) -> None:
    lossy = ("engine.synthetic.invalid_ratio=1", "retries.max_attempts=2")
    assert count(project.run(*lossy), "attempts") == 36
    assert count(project.run(*lossy, options=RETRY), "attempts") == 72
    loosen(project)
    report = project.run(*lossy)
    assert count(report, "attempts") == count(report, "reused") == 72


def test_a_lost_row_is_retried_by_its_answers(project: Project) -> None:
    assert count(project.run(*ALL_INVALID), "attempts") == 18
    no_answer = RunOptions(retry=RetryRejects(frozenset({RejectCode.NO_ANSWER})))
    report = project.run("engine.synthetic.invalid_ratio=0", "retries.max_attempts=1", options=no_answer)
    assert report["why"] == {"stale": 3}
    report = project.run(*ALL_INVALID)
    report = project.run(*ALL_INVALID, options=no_answer)
    assert report["why"] == {"retried": 3}
    assert count(report, "attempts") - count(report, "reused") == 18


# Stops, limits and lost journals


class StopInTheMiddle(Notes):
    """Asks for the end in the middle of the second document."""

    def update(self, ledger: Ledger, n_sources: int) -> None:
        if ledger.n_reused == 8:
            self._stop.ask("SIGTERM")


def test_a_stop_before_anything_leaves_everything(project: Project) -> None:
    report = project.run(stop_after=0)
    assert report["exit_code"] == 75
    assert count(report, "left") == 3
    assert count(project.run(), "documents") == 3


def test_a_stop_is_heard_between_two_files_that_are_hashed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run()
    plan = build_plan(load_job(project.folder / "job.toml"))
    hashed: list[str] = []

    def load(entry: Entry, seen: set[str]) -> Source | Reject:
        hashed.append(entry.uri)
        return load_source(entry, seen)

    monkeypatch.setattr(intake, "load_source", load)
    standing = Standing(load_state(project.out), plan.components, None, frozenset())
    taking = Intake(plan.entries, standing, lambda source: None, plan.read_limits, plan.maker)
    assert list(taking.items(stopped=lambda: bool(hashed))) == []
    assert hashed == ["in/a.txt"]


def test_a_stop_when_all_is_reused_commits_what_is_whole(project: Project) -> None:
    project.run()
    loosen(project)
    stop = Stop()
    report, _ = run_job(build_plan(load_job(project.folder / "job.toml")), RunOptions(), StopInTheMiddle(stop), stop)
    n_done = count(report, "documents")
    assert report["exit_code"] == 75
    assert 0 < n_done < 3
    assert count(report, "attempts") == count(report, "reused") > 6 * n_done
    last = project.run()
    assert (count(last, "unchanged"), count(last, "documents")) == (n_done, 3 - n_done)
    assert count(last, "attempts") == count(last, "reused")


def test_a_killed_run_goes_on_first_with_a_limit_then_whole(project: Project) -> None:
    for name in "defgh":
        project.write(name)
    slow = ("engine.synthetic.latency_s=0.02", "engine.synthetic.n_parallel=2")
    first = project.run(*slow, stop_after=15)
    n_paid = count(first, "attempts")
    limited = project.run(*slow, options=RunOptions(limit=count(first, "documents") + 1))
    n_paid += count(limited, "attempts") - count(limited, "reused")
    last = project.run(*slow)
    n_paid += count(last, "attempts") - count(last, "reused")
    assert n_paid == 8 * 6, "no answer was paid for twice"
    assert len(project.rows()) == 8


def in_a_page(content: bytes, column: pq.ColumnChunkMetaData) -> int:
    """The last byte of the column's last page, whose checksum tells."""
    first: int = column.dictionary_page_offset or column.data_page_offset
    return first + int(column.total_compressed_size) - 1


def in_a_name(content: bytes, column: pq.ColumnChunkMetaData) -> int:
    """The column's name in the footer, which has no checksum."""
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content.index(column.path_in_schema.encode(), footer)


@pytest.mark.parametrize("damage", [in_a_page, in_a_name])
@pytest.mark.parametrize(("name", "number"), [("answers", 0), ("documents", 1)])
def test_a_damaged_part_of_the_journal_is_named_and_may_be_removed(
    project: Project, name: str, number: int, damage: Callable[[bytes, pq.ColumnChunkMetaData], int]
) -> None:
    for other in "defgh":
        project.write(other)
    often = ("engine.synthetic.latency_s=0.02", "engine.synthetic.n_parallel=2", "journal.max_answers=2")
    project.run(*often, stop_after=10)
    part = sorted((project.out / "journal" / name).glob("*.parquet"))[-1]
    content = bytearray(part.read_bytes())
    keys = pq.read_metadata(part).row_group(0).column(number)
    content[damage(bytes(content), keys)] ^= 0xFF
    part.write_bytes(content)
    with pytest.raises(OutputError, match=part.name):
        project.run(*often)
    part.unlink()
    assert project.run(*often)["exit_code"] == 0
    assert len(project.rows()) == 8


def test_a_hundred_lost_sources_read_the_report_of_their_run_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        (project.folder / "in" / f"empty{number}.txt").write_bytes(b"")
    project.run()
    read: list[str] = []
    load = State.report

    def report(self: State, run_id: str) -> dict[str, Any]:
        read.append(run_id)
        return load(self, run_id)

    monkeypatch.setattr(State, "report", report)
    assert count(project.run(), "unchanged") == 103
    assert len(read) == 1


def test_identical_documents_in_flight_at_once(project: Project) -> None:
    for name in "abc":
        (project.folder / "in" / f"{name}.txt").write_text("\n\n".join(["The same in all of them."] * 9))
    report = project.run("engine.synthetic.invalid_ratio=0.4", "engine.synthetic.death_ratio=0.2")
    assert count(report, "documents") == 3
    values = {json.dumps({k: v for k, v in row.items() if k in ("who", "amount")}) for row in project.rows()}
    assert len(values) == 1
    assert count(project.run(), "unchanged") in (0, 3)
