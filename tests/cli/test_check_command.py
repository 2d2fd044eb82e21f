"""What `pipeline check` says of a task: its columns, what each part may take, and what holds which constraint."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app

MODEL = """
from pydantic import BaseModel, Field

class Lease(BaseModel):
    name: str
    code: str = Field(max_length=5)
    notes: set[str]
"""
JOB = """
name = "leases"
input.paths = ["in"]
output.folder = "out"
generation.max_tokens = 900
[[tasks]]
name = "lease"
instructions = "Read."
schema = "schemas/x.py:Lease"
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    for folder in ("jobs", "schemas", "in"):
        (tmp_path / folder).mkdir()
    (tmp_path / "jobs" / "leases.toml").write_text(JOB)
    (tmp_path / "schemas" / "x.py").write_text(MODEL)
    (tmp_path / "in" / "a.txt").write_text("text")
    return tmp_path / "jobs" / "leases.toml"


def test_the_shares_are_listed_and_the_total(job: Path) -> None:
    task = json.loads(CliRunner().invoke(app, ["check", str(job), "--json"]).stdout)["tasks"]["lease"]
    assert [(s["field"], s["what"], s["of"]) for s in task["shares"]] == [
        ("/name", "characters", "share"),
        ("/code", "characters", "schema"),
        ("/notes", "items", "share"),
        ("/notes/*", "characters", "share"),
    ]
    assert task["shares"][1]["bound"] == 5
    assert task["longest_answer_bytes"] <= 900


def test_the_text_says_what_is_left_to_the_validator(job: Path) -> None:
    said = CliRunner().invoke(app, ["check", str(job)]).stdout
    assert "validator only: /properties/notes uniqueItems" in said
    assert "5 characters  schema" in said
    assert "of max_tokens 900" in said
    assert said.endswith("ok\n")
