"""`pipeline merge OUTPUT` as a scheduler sees it: rows made again, exit codes, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

JOB = """
name = "nightly"
[input]
paths = ["in"]
n_workers = 1
[[tasks]]
name = "contract"
instructions = "Who signed?"
schema = "schemas/contract.json"
[generation]
max_tokens = 200
[engine]
kind = "synthetic"
[chunking]
max_tokens = 40
[output]
folder = "out/nightly"
"""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"pages": {"type": "integer", "minimum": 0, "maximum": 999}},
    "required": ["pages"],
}


def pipeline(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", *words]
    done = subprocess.run(
        command, cwd=project, env=os.environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run is done."""
    folder = tmp_path_factory.mktemp("finished")
    for name in ("jobs", "schemas", "in"):
        (folder / name).mkdir()
    (folder / "jobs" / "nightly.toml").write_text(JOB)
    (folder / "schemas" / "contract.json").write_text(json.dumps(SCHEMA))
    lines = [f"Paragraph {number}: the parties agree to meet again." for number in range(6)]
    (folder / "in" / "a.txt").write_text("\n\n".join(lines))
    done = pipeline(folder, "run", "jobs/nightly.toml", "--set", "generation.temperature=0.5")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "project")


def add_up(project: Path) -> None:
    pages = {**SCHEMA["properties"]["pages"], "x-merge": "sum"}
    (project / "schemas" / "contract.json").write_text(json.dumps({**SCHEMA, "properties": {"pages": pages}}))


def test_rows_are_made_again_with_the_settings_of_the_last_run(project: Path) -> None:
    add_up(project)
    done = pipeline(project, "merge", "out/nightly", "--json")
    assert done.returncode == 0, done.stderr
    assert "rows are made again" in done.stderr
    report = json.loads(done.stdout)
    assert report["settings"]["generation"]["temperature"] == 0.5
    assert report["counts"]["reused"] == report["counts"]["attempts"] > 1
    out = project / "out" / "nightly"
    run = f"run={report['run_id']}"
    texts = pq.read_table(out / "responses" / run, partitioning=None).column("text").to_pylist()
    rows = pq.read_table(out / "records" / "contract" / run, partitioning=None).column("pages").to_pylist()
    assert rows == [sum(json.loads(text)["pages"] for text in texts)]
    again = pipeline(project, "run", "jobs/nightly.toml", "--set", "generation.temperature=0.5")
    assert again.returncode == 0
    assert "nothing new: 1 source unchanged" in again.stdout


def test_a_job_file_that_says_otherwise_is_refused(project: Path) -> None:
    add_up(project)
    done = pipeline(project, "merge", "out/nightly", "--job", "jobs/nightly.toml")
    assert done.returncode == 2
    assert "temperature changed" in done.stderr
    done = pipeline(
        project, "merge", "out/nightly", "--job", "jobs/nightly.toml", "--set", "generation.temperature=0.5"
    )
    assert done.returncode == 0, done.stderr
    assert "complete: 1 document committed" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no committed run in nowhere"),
        (["out/nightly", "--set", "generation.temperature=0.5"], "name it with --job"),
        (["out/nightly", "--job", "jobs/none.toml"], "no job file"),
        (["out/nightly", "--job", "jobs/nightly.toml", "--set", "output.folder=other"], "not out/nightly"),
    ],
)
def test_what_is_refused_at_once(project: Path, words: list[str], said: str) -> None:
    done = pipeline(project, "merge", *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_folder_that_was_moved_asks_for_its_job(project: Path) -> None:
    (project / "out" / "nightly").rename(project / "moved")
    done = pipeline(project, "merge", "moved")
    assert done.returncode == 2
    assert "Name the job file with --job" in done.stderr


def test_show_says_what_lost_and_where(project: Path) -> None:
    done = pipeline(project, "show", "out/nightly")
    assert done.returncode == 0, done.stderr
    (path,) = (project / "out" / "nightly" / "conflicts").rglob("*.parquet")
    lost = pq.read_table(path, partitioning=None).to_pylist()
    assert lost, "the rehearsal engine has to give two values for this test to mean something"
    assert f"conflicts: {len(lost)} rows" in done.stdout
    for line in lost:
        assert f"in/a.txt task contract /pages: {line['kept']} (first)" in done.stdout
        assert f"chunk {line['chunk_index']} has {line['lost']}" in done.stdout
