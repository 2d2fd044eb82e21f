"""What a run says of itself, and the options by which runs share and repeat work; with the rehearsal engine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.options import options_from
from pipeline.cli.run import headline, summary
from pipeline.errors import JobError, RejectCode
from pipeline.tables.locks import WHOLE

JOB = """
name = "nightly"
[input]
paths = ["in"]
[[tasks]]
name = "contract"
instructions = "Who signed?"
schema = "contract.json"
[engine]
kind = "synthetic"
[retries]
max_attempts = 1
[output]
folder = "out"
"""
N_DOCUMENTS = 16
COUNTS = {
    "sources": 10_000,
    "unchanged": 0,
    "removed": 0,
    "documents": 0,
    "rejected_sources": 0,
    "left": 0,
    "pages": 0,
    "segments": 0,
    "chunks": 0,
    "attempts": 0,
    "reused": 0,
    "records": 0,
    "rejected_answers": 0,
    "rows": {},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(N_DOCUMENTS):
        (tmp_path / "in" / f"{number:02d}.txt").write_text(f"Contract {number}, signed by Ann and Bob.")
    schema = {"type": "object", "properties": {"signed": {"type": "string", "maxLength": 20}}}
    (tmp_path / "contract.json").write_text(json.dumps(schema))
    (tmp_path / "nightly.toml").write_text(JOB)
    return tmp_path


def pipeline(project: Path, *words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "pipeline", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def run(project: Path, *words: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(pipeline(project, "run", "nightly.toml", "--json", *words))
    return report


def report(stopped: str | None = None, **counts: int) -> dict[str, Any]:
    return {"counts": {**COUNTS, **counts}, "stopped": stopped}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (report(unchanged=10_000), "nothing new: 10,000 sources unchanged"),
        (report(), "nothing new: 0 sources unchanged"),
        (
            report("SIGTERM", documents=12, left=88),
            "stopped (SIGTERM): 12 documents committed, 88 left for the next start",
        ),
        (report("SIGTERM", documents=12), "complete: 12 documents committed, 0 sources rejected"),
        (
            report(documents=1, rejected_sources=1, unchanged=4, removed=2),
            "complete: 1 document committed, 1 source rejected, 4 unchanged, 2 removed",
        ),
        (report(removed=1), "complete: 0 documents committed, 0 sources rejected, 1 removed"),
    ],
)
def test_the_first_line_says_what_happened(made: dict[str, Any], said: str) -> None:
    assert headline(made) == said


def test_a_summary_of_nothing_new_is_short() -> None:
    made = report(unchanged=10_000) | {"why": {}, "run_id": "r", "seconds": {"before_engine": 1.0}, "sums": []}
    assert summary(made | {"rejects": {}, "model": {"kind": "vllm", "deaths": 0}}).splitlines() == [
        "nothing new: 10,000 sources unchanged",
        "run       r",
        "sources   10,000 = 0 documents + 0 rejected + 10,000 unchanged",
        "seconds   before engine 1.0",
        "sums      0 of 0 close",
    ]


def test_a_summary_says_that_no_model_answered_and_that_the_engine_died() -> None:
    made = report(unchanged=1) | {"why": {}, "run_id": "r", "seconds": {}, "sums": [], "rejects": {}}
    lines = summary(made | {"model": {"kind": "synthetic", "deaths": 2}}).splitlines()
    assert "engine    synthetic: a rehearsal, no model read these documents" in lines
    assert "engine    died 2 times, was started again, and was asked again" in lines


def test_options_become_what_a_run_is_told() -> None:
    assert options_from(None, None, False, None).lane == WHOLE
    assert options_from(None, None, False, None).retry is None
    told = options_from(3, "2/8", False, ["truncated, ENGINE_FAILED", "no_answer"])
    assert (told.limit, told.lane.name) == (3, "shard-2-of-8")
    assert told.retry is not None
    assert told.retry.codes == {RejectCode.TRUNCATED, RejectCode.ENGINE_FAILED, RejectCode.NO_ANSWER}
    everything = options_from(None, None, True, [])
    assert everything.retry is not None
    assert everything.retry.codes == frozenset()
    with pytest.raises(JobError, match="give one of them"):
        options_from(None, None, True, ["truncated"])


def test_a_second_start_finds_nothing_new_and_a_third_what_changed(project: Path) -> None:
    first = pipeline(project, "run", "nightly.toml")
    assert first.startswith(f"complete: {N_DOCUMENTS} documents committed, 0 sources rejected\n")
    assert f"taken up  {N_DOCUMENTS} new\n" in first
    again = pipeline(project, "run", "nightly.toml")
    assert again.startswith(f"nothing new: {N_DOCUMENTS} sources unchanged\n")
    (project / "in" / "00.txt").write_text("Contract 0, now signed by Cleo.")
    (project / "in" / "01.txt").unlink()
    (project / "in" / "02.txt").write_text("")
    third = pipeline(project, "run", "nightly.toml")
    n_unchanged = N_DOCUMENTS - 3
    assert third.startswith(f"complete: 1 document committed, 1 source rejected, {n_unchanged} unchanged, 1 removed\n")
    shown = pipeline(project, "show", "out", "--rows", "0")
    assert shown.startswith("runs      3 committed; the last one:\n")
    assert f"\nrecords/contract: {n_unchanged + 1} rows of 2 runs, " in shown
    assert "Fetch the file again: it has no bytes." in shown
    machine = json.loads(pipeline(project, "show", "out", "--json"))
    assert len(machine["runs"]) == 3
    assert machine["tables"]["records/contract"]["n_rows"] == n_unchanged + 1
    assert [row["uri"] for row in machine["tables"]["rejects"]["rows"]] == ["in/02.txt"]
    one = json.loads(pipeline(project, "show", "out", "--json", "--run", machine["runs"][0]))
    assert one["tables"]["records/contract"]["n_rows"] == N_DOCUMENTS
    assert one["report"]["run_id"] == machine["runs"][0]


def test_shards_share_the_work_and_a_whole_run_finds_it_done(project: Path) -> None:
    halves = [run(project, "--shard", f"{index}/2")["counts"]["documents"] for index in (1, 2)]
    assert sum(halves) == N_DOCUMENTS
    assert all(halves)
    assert run(project)["counts"]["unchanged"] == N_DOCUMENTS


def test_retrying_takes_up_what_was_lost_and_only_that(project: Path) -> None:
    flaws = ["--set", "engine.synthetic.invalid_ratio=0.3", "--set", "engine.synthetic.truncated_ratio=0.3"]
    first = run(project, *flaws)
    lost = first["rejects"]
    assert lost["no_answer"] == lost["truncated"] + lost["invalid_json"]
    n_truncated = lost["truncated"]
    assert 0 < n_truncated < N_DOCUMENTS
    assert run(project, *flaws)["counts"]["unchanged"] == N_DOCUMENTS
    by_code = run(project, *flaws, "--retry-code", "truncated")
    assert by_code["why"] == {"retried": n_truncated}
    everything = run(project, *flaws, "--retry-rejects")
    assert everything["why"]["retried"] >= lost["invalid_json"]


@pytest.mark.parametrize(
    ("waiting", "starved", "said"),
    [
        (0.0, 0.04, "seconds   engine start 32.0, generating 20.0"),
        (
            9.96,
            3.0,
            "seconds   engine start 32.0, waiting for the first document 10.0, generating 20.0, "
            "of which starved of documents 3.0",
        ),
    ],
)
def test_seconds_in_vain_are_told_when_they_are_worth_a_word(waiting: float, starved: float, said: str) -> None:
    seconds = {"engine_start": 32.0, "waiting": waiting, "generating": 20.0, "starved": starved}
    made = report(unchanged=1) | {"why": {}, "run_id": "r", "seconds": seconds, "sums": [], "rejects": {}}
    assert said in summary(made | {"model": {"kind": "vllm", "deaths": 0}}).splitlines()
