"""What each command imports: nothing of a model's libraries in the process that prints, nothing at all for a version.

Seen in `sys.modules` of a child process, after the command has done its work.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

HEAVY = "torch vllm transformers pandas huggingface_hub mistral_common"
"""Seconds each, and a gigabyte together."""
SLOW = "numpy pyarrow pydantic jsonschema tokenizers llguidance"
"""A tenth of a second each: what reads a job or a table."""
CODE = """
import sys
from pipeline.cli import main
try:
    main()
finally:
    print("loaded:", *[name for name in {names!r}.split() if name in sys.modules], file=sys.stderr)
"""


def loaded(project: Path, names: str, *words: str) -> str:
    """Which of these modules are there after the command ended well."""
    command = [sys.executable, "-c", CODE.format(names=names), *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()[-1].removeprefix("loaded:").strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Project(tmp_path_factory.mktemp("lazy") / "project", "a", "b")
    made.run()
    return made.folder


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_what_asks_for_no_job_loads_nothing_that_takes_time(project: Path, word: str) -> None:
    assert loaded(project, f"{HEAVY} {SLOW}", word) == ""


def test_one_command_does_not_load_the_others(project: Path) -> None:
    others = "pipeline.cli.check pipeline.cli.schema pipeline.cli.merge"
    assert loaded(project, f"{HEAVY} numpy pyarrow jsonschema {others}", "run", "--help") == ""


@pytest.mark.parametrize("words", [("check", "job.toml"), ("schema", "job.toml"), ("show", "out")])
def test_looking_loads_no_library_of_a_model(project: Path, words: tuple[str, ...]) -> None:
    assert loaded(project, HEAVY, *words) == ""


def test_a_run_whose_answers_are_there_loads_none_in_the_driver(project: Path) -> None:
    assert loaded(project, HEAVY, "run", "job.toml") == ""


def test_a_run_that_reads_and_asks_loads_none_in_the_driver(project: Path) -> None:
    assert loaded(project, HEAVY, "run", "job.toml", "--set", "output.folder=other") == ""


def test_it_would_be_seen(project: Path) -> None:
    assert loaded(project, "pyarrow typer", "show", "out") == "pyarrow typer"


def test_a_name_that_is_almost_a_command_is_told() -> None:
    command = [sys.executable, "-m", "pipeline", "chekc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "check" in done.stderr
