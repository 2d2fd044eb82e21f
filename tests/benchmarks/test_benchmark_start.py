import json
import subprocess
import sys
from pathlib import Path

import pytest
import start
import start_phases
import tasks
from compare import SECONDS, Comparison, Contender, Figures


def test_the_phases_of_a_start_are_told(tmp_path: Path) -> None:
    job = tasks.write_job(tmp_path / "job", n_tasks=2, n_documents=1, n_tokens=200)
    code = (
        "import sys, start_phases; kept = start_phases.import_module\n"
        "start_phases.import_module = lambda name: None if name == 'vllm' else kept(name)\n"
        "start_phases.main()"
    )
    command = [sys.executable, "-c", code, str(job)]
    folder = Path(start_phases.__file__).parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, timeout=120)
    phases = json.loads(done.stdout)
    assert next(iter(phases)) == "Python"
    assert {"its schemas", "the tokenizer", "first document: read", "import: vLLM, in its thread"} <= set(phases)
    assert all(seconds >= 0 for seconds in phases.values())
    assert phases["the tokenizer"] > phases["the model's folder"]


def test_a_document_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    job = tasks.write_job(tmp_path / "job", n_tasks=1, n_documents=1, n_tokens=200)
    (job.parent / "in" / "000.txt").write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"000\.txt cannot be read"):
        start_phases._prepare(start_phases.Phases(), job)


def test_the_difference_is_made_round_by_round() -> None:
    rounds: list[dict[str, Figures]] = [
        {start._BARE: {SECONDS: bare}, start._OURS: {SECONDS: ours}} for bare, ours in [(10, 11), (20, 20.5), (30, 39)]
    ]
    contenders = [Contender(name, dict) for name in (start._BARE, start._OURS)]
    assert start.find_later_s(Comparison("start", start._BARE, contenders, SECONDS, rounds)) == 1


def test_the_phases_are_a_table() -> None:
    table = start.build_phase_table({"a": 0.25, "b": 0.5})
    assert table[2:] == ["| a | 0.250 |", "| b | 0.500 |", "| all | 0.750 |"]
