"""Whatever happens between and within the runs of a folder, each run's sums close and the last one's rows are right.

Right are the rows that a folder has which was only ever run once, over the input as it is at the end.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from project import Project

from pipeline.engines.supervised import SupervisedEngine
from pipeline.errors import RejectCode
from pipeline.flow.options import RetryRejects, RunOptions
from pipeline.tables.locks import WHOLE, Lane

NAMES = "abcdef"
CONTENTS = ("first text", "second text", "", None)
"""What a document may hold; "": no bytes; None: it is not there."""
N_EXAMPLES = int(os.environ.get("RANDOM_RUNS", "4"))
LOSSES = {"lossy": ("0.3", "0.15"), "cut": ("0.1", "0.5"), "sound": ("0", "0")}
"""Shares of answers that are invalid and that are cut; after two of those in a row a chunk is split."""
LIVES = ("0", "0.15")


@dataclass(frozen=True)
class Turn:
    """One run, and what is done to the input before it."""

    edits: dict[str, str | None]
    stop_after: int | None
    deaths: str
    options: RunOptions
    is_schema_other: bool
    flushes_often: bool


OPTIONS = st.builds(
    RunOptions,
    limit=st.one_of(st.none(), st.none(), st.integers(0, 5)),
    lane=st.sampled_from([WHOLE, WHOLE, Lane(1, 2), Lane(2, 2), Lane(2, 3)]),
    retry=st.sampled_from(
        [
            None,
            None,
            RetryRejects(),
            RetryRejects(frozenset({RejectCode.NO_ANSWER, RejectCode.EMPTY_FILE})),
            RetryRejects(frozenset({RejectCode.TRUNCATED})),
        ]
    ),
)
TURNS = st.builds(
    Turn,
    edits=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENTS), max_size=4),
    stop_after=st.one_of(st.none(), st.integers(0, 30)),
    deaths=st.sampled_from(LIVES),
    options=OPTIONS,
    is_schema_other=st.booleans(),
    flushes_often=st.booleans(),
)
LAST = Turn({}, None, "0", RunOptions(), is_schema_other=False, flushes_often=False)


@settings(
    max_examples=N_EXAMPLES,
    deadline=None,
    phases=[Phase.generate],  # to shrink a history takes minutes, and five turns can be read as they are
    derandomize="RANDOM_RUNS" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(turns=st.lists(TURNS, min_size=2, max_size=5), kind=st.sampled_from(sorted(LOSSES)))
def test_any_history_ends_in_the_rows_of_a_fresh_folder(turns: list[Turn], kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(SupervisedEngine, "_wait", lambda self, seconds: None)
        project = Project(Path(folder) / "project")
        project.change('paths = ["in"]', 'paths = ["in"]\nallow_empty = true')
        edit(project, dict.fromkeys(NAMES, CONTENTS[0]))
        for turn in turns:
            edit(project, turn.edits)
            take(project, turn, kind)
        report = take(project, LAST, kind)
        assert report["exit_code"] == 0
        assert not list((project.out / "journal").rglob("*.parquet"))
        again = take(project, LAST, kind)
        assert again["counts"]["unchanged"] == again["counts"]["sources"]
        assert again["counts"]["attempts"] == again["counts"]["removed"] == 0
        check_against_fresh(project, kind, any(turn.options.retry for turn in turns))


def edit(project: Project, edits: dict[str, str | None]) -> None:
    for name, content in edits.items():
        path = project.folder / "in" / f"{name}.txt"
        if content:
            project.write("some", content if name != "a" else f"{content} and more")
            (project.folder / "in" / "some.txt").rename(path)
        elif content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(b"")


def take(project: Project, turn: Turn, kind: str) -> dict[str, Any]:
    """One run, whose sums `Project.run` checks."""
    invalid, truncated = LOSSES[kind]
    schema = json.loads((project.folder / "first.json").read_text())
    schema["properties"]["who"]["x-evidence"] = True  # the sums count each cited value
    schema["not"] = {"properties": {"amount": {"const": 100 + turn.is_schema_other}}}
    (project.folder / "first.json").write_text(json.dumps(schema))
    overrides = [
        f"engine.synthetic.invalid_ratio={invalid}",
        f"engine.synthetic.truncated_ratio={truncated}",
        f"engine.synthetic.death_ratio={turn.deaths}",
        "engine.synthetic.latency_s=0.002",
        "engine.synthetic.n_parallel=3",
        f"journal.max_answers={1 if turn.flushes_often else 1000}",
        "retries.max_attempts=2",
    ]
    return project.run(*overrides, options=turn.options, stop_after=turn.stop_after)


def check_against_fresh(project: Project, kind: str, was_retried: bool) -> None:
    """The current lines are those of a folder that was run once over the same input."""
    fresh = Project(project.folder.parent / "fresh")
    (fresh.folder / "job.toml").write_text((project.folder / "job.toml").read_text())
    for path in sorted((project.folder / "in").iterdir()):
        (fresh.folder / "in" / path.name).write_bytes(path.read_bytes())
    take(fresh, LAST, kind)
    if any(line["status"] == "quarantined" for line in lines(project, "responses")):
        return  # it was in flight at three deaths: rightly lost, and asked again only when told
    exact = (
        ["documents"]
        if was_retried
        else ["documents", "responses", "rejects", "evidence", "records/first", "records/second"]
    )
    for table in exact:
        assert lines(project, table) == lines(fresh, table)
    for table in ("records/first", "records/second", "rejects", "responses"):
        ids = "_doc_id" if table.startswith("records") else "doc_id"
        got, expected = ({line[ids] for line in lines(one, table)} for one in (project, fresh))
        assert got <= expected if table == "rejects" else got >= expected
    attempts = [(line["prompt_id"], line["attempt"]) for line in lines(project, "responses")]
    assert len(set(attempts)) == len(attempts)
    assert set(attempts) >= {(line["prompt_id"], line["attempt"]) for line in lines(fresh, "responses")}


def lines(project: Project, table: str) -> list[dict[str, Any]]:
    """The current lines of a table, in an order of their own; none when no run has written to it."""
    try:
        found = project.rows(table)
    except KeyError:
        return []
    found = [{name: value for name, value in line.items() if name != "_job_fingerprint"} for line in found]
    return sorted(found, key=lambda line: json.dumps(line, default=str, sort_keys=True))
