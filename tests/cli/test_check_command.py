"""What `pipeline check` says of a task: its columns, what each part may take, and what holds which constraint."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.cli.check import check
from pipeline.errors import SchemaError

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


def test_names_break_no_line_and_speak_to_no_terminal(job: Path) -> None:
    names = ["a\nb", "\x1b[31m", "\u202e", "x" * 400, "\x00"]
    properties: dict[str, object] = {name: {"type": "string", "uniqueItems": True} for name in names}
    schema = job.parent.parent / "schemas" / "odd.json"
    schema.write_text(json.dumps({"type": "object", "properties": {**properties, "in": {"properties": properties}}}))
    job.write_text(JOB.replace("x.py:Lease", "odd.json"))
    done = CliRunner().invoke(app, ["check", str(job)])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert all(line.isprintable() for line in lines)
    assert all(len(line) < 700 for line in lines)
    assert "  a\\nb" + " " * 38 + "string" in lines
    properties["a\nb"] = {"type": "string", "minLength": 2, "maxLength": 1}
    schema.write_text(json.dumps({"type": "object", "properties": properties}))
    with pytest.raises(SchemaError, match=r"at /properties/a\\nb: minLength is 2") as caught:
        check(job)
    assert str(caught.value).isprintable()
