"""`pipeline eval JOB --gold FILE` as a person and as a scheduler see it, over a real run of the rehearsal engine."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from project import Project


def pipeline(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", *words]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run is done, its rows written down as gold."""
    project = Project(tmp_path_factory.mktemp("finished") / "p", "a", "b", "c")
    project.run()
    gold = [
        {"doc_id": row["_doc_id"], "task": task, "who": row["who"], "amount": row["amount"]}
        for task in ("first", "second")
        for row in project.rows(f"records/{task}", varying=True)
    ]
    assert len(gold) == 6
    (project.folder / "gold.jsonl").write_text("".join(json.dumps(line) + "\n" for line in gold))
    return project.folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "p")


def spoil(project: Path, task: str) -> None:
    """Change what the gold has of one field."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in (project / "gold.jsonl").read_text().splitlines()]
    spoilt = [{**line, "amount": line["amount"] + 100} if line["task"] == task else line for line in lines]
    (project / "gold.jsonl").write_text("".join(json.dumps(line) + "\n" for line in spoilt))


def test_rows_that_are_the_gold_are_right(project: Path) -> None:
    done = pipeline(project, "eval", "job.toml", "--gold", "gold.jsonl", "--set", "gates.min_f1=1.0")
    assert done.returncode == 0, done.stderr
    assert "task first: 3 documents of the gold" in done.stdout
    assert "1.000 (1.000 to 1.000)" in done.stdout
    assert 'gate      ok: gates.min_f1 is 1, and field "amount" of task second has F1 1.00' in done.stdout
    report = json.loads((project / "out" / "evaluation.json").read_text())
    assert report["tasks"]["first"]["fields"]["amount"]["outcomes"]["correct"] == 3
    assert report["answers"]["valid_ratio"][0] == 1.0
    assert report["answers"]["n_questions"] >= 6
    assert report["tokens"]["n_documents"] == 3
    assert report["latency_s"]["p50"] <= report["latency_s"]["p99"]


def test_a_failed_gate_is_an_exit_code_and_a_line(project: Path) -> None:
    spoil(project, "second")
    words = ("eval", "job.toml", "--gold", "gold.jsonl", "--set", "gates.min_f1=0.8", "--json")
    done = pipeline(project, *words)
    assert done.returncode == 5
    assert done.stderr == (
        'gate failed: gates.min_f1 is 0.8, and field "amount" of task second has F1 0.00 '
        "(normalized; 0.00 to 0.00, 3 documents).\n"
    )
    assert json.loads(done.stdout) == json.loads((project / "out" / "evaluation.json").read_text())
    assert pipeline(project, *words, "--task", "first").returncode == 0


def test_two_folders_are_compared(project: Path) -> None:
    shutil.copytree(project / "out", project / "before")
    spoil(project, "second")
    done = pipeline(project, "eval", "job.toml", "--gold", "gold.jsonl", "--against", "before")
    assert done.returncode == 0, done.stderr
    assert "before    before (run " in done.stdout
    assert "acceptable no: " in done.stdout
    assert "latency    yes: the 95th percentile of latency is 1.00 times what it was" in done.stdout


def test_gold_that_the_folder_does_not_have_is_a_warning(project: Path) -> None:
    with (project / "gold.jsonl").open("a") as file:
        file.write('{"uri": "in/zz.txt", "task": "first", "amount": 1}\n')
    done = pipeline(project, "eval", "job.toml", "--gold", "gold.jsonl")
    assert done.returncode == 0
    assert done.stderr == "warning: task first: 1 of the gold is not in the folder: in/zz.txt\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing option"),
        (["--gold", "none.csv"], "error: There is no gold file at none.csv."),
        (["--gold", "gold.jsonl", "--task", "frist"], "did you mean 'first'?"),
        (["--gold", "gold.jsonl", "--against", "nowhere"], "There is no committed run in nowhere"),
        (["--gold", "gold.jsonl", "--set", "output.folder='new'"], "There is no committed run in"),
        (["--gold", "gold.jsonl", "--set", "gates.min_f1.amuont=0.5"], "gates.min_f1 names 'amuont'"),
    ],
)
def test_what_is_refused(finished: Path, words: list[str], said: str) -> None:
    done = pipeline(finished, "eval", "job.toml", *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_table_fits_a_terminal_of_80_columns(project: Path) -> None:
    words = [sys.executable, "-c", "from pipeline.cli import main; main()", "eval", "job.toml", "--gold", "gold.jsonl"]
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(words, cwd=project, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        said = b""
        with contextlib.suppress(OSError):  # Linux says so that nobody has the other end open any more
            while part := os.read(master, 4096):
                said += part
    os.close(master)
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).splitlines()
    heads = [" ".join(line.split()) for line in lines if line.startswith("field")]
    assert heads[0] == "field gold exact F1 F1 precision recall right wrong omitted made up"
    assert all(len(line.rstrip()) <= 80 for line in lines)
