"""The job file: what is read, what is refused, and what the refusal says."""

from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.job import Job, load_job

JOB = """
name = "nightly"
[input]
paths = ["in/${run_date}/*.pdf"]
[[tasks]]
name = "contract"
instructions = "Who signed? Write $${x}."
schema = "schemas/contract.json"
[output]
folder = "out/${run_date}"
"""


def load(tmp_path: Path, text: str = JOB, overrides: tuple[str, ...] = (), **variables: str) -> Job:
    path = tmp_path / "jobs" / "nightly.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_job(path, variables or {"run_date": "2025-01-31"}, overrides)


def test_variables_and_project(tmp_path: Path) -> None:
    job = load(tmp_path)
    assert job.input.paths == ("in/2025-01-31/*.pdf",)
    assert job.output_folder == tmp_path / "out/2025-01-31"
    assert job.tasks[0].instructions == "Who signed? Write ${x}."


def test_the_project_of_a_job_outside_a_jobs_folder_is_its_own_folder(tmp_path: Path) -> None:
    path = tmp_path / "nightly.toml"
    path.write_text(JOB)
    assert load_job(path, {"run_date": "x"}).project == tmp_path


def test_a_variable_without_a_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"\$\{run_date\} has no value. Give it with --var run_date=...; given: day"):
        load(tmp_path, day="1")


def test_overrides_are_toml_or_plain_strings(tmp_path: Path) -> None:
    overrides = ("generation.max_tokens=7", "output.folder=elsewhere", "engine.options.max_num_seqs=4")
    job = load(tmp_path, overrides=overrides)
    assert job.generation.max_tokens == 7
    assert job.output.folder == "elsewhere"
    assert job.engine.options == {"max_num_seqs": 4}


@pytest.mark.parametrize("override", ["generation.max_tokens", "=1", "a..b=1", "name.x=1"])
def test_a_bad_override_says_what_is_expected(tmp_path: Path, override: str) -> None:
    with pytest.raises(JobError, match="--set"):
        load(tmp_path, overrides=(override,))


def test_an_unknown_key_names_the_valid_ones(tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        load(tmp_path, JOB + "[generation]\nmax_token = 5\n")
    assert "generation.max_token: unknown key. Did you mean 'max_tokens'?" in str(caught.value)
    assert "Valid keys here: max_tokens, temperature, seed, request_timeout_s." in str(caught.value)


def test_an_unknown_key_of_a_task_is_the_only_thing_said(tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        load(tmp_path, JOB.replace('schema = "', 'shema = "'))
    assert "tasks.0.shema: unknown key. Did you mean 'schema'?" in str(caught.value)
    assert "tasks.0.schema: missing" in str(caught.value)
    assert "at least 1 item" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "is not valid TOML"),
        ("", "tasks: missing"),
        (JOB.replace("paths", "# paths"), "names no documents"),
        (JOB.replace('name = "contract"', 'name = "Über/../x"'), "tasks.0.name"),
        (JOB + JOB[JOB.index("[[tasks]]") : JOB.index("[output]")], "two tasks have the same name"),
        (JOB + "[generation]\ntemperature = nan\n", "generation.temperature"),
        (JOB + "[gates]\nmax_reject_ratio = 2\n", "gates.max_reject_ratio"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(JobError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_an_absent_or_undecodable_file(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="There is no job file"):
        load_job(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(JobError, match="not UTF-8"):
        load_job(tmp_path / "latin.toml")
    with pytest.raises(JobError, match="cannot be read"):
        load_job(tmp_path)


def test_the_fingerprint_follows_the_settings_and_not_the_place(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    here.mkdir()
    there.mkdir()
    assert load(here).fingerprint == load(there).fingerprint
    assert load(here).fingerprint != load(here, overrides=("generation.seed=1",)).fingerprint


def test_a_job_is_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(load(tmp_path), "name", "other")  # noqa: B010  the type checker knows that it is frozen
