"""`pipeline report` as people and machines call it, over real runs and over folders that are none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_output import good_output
from project import Project


def report(*words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "pipeline", "report", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def pages(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}


def test_it_says_where_it_is_and_how_many_pages(tmp_path: Path) -> None:
    out = good_output(tmp_path / "out").write()
    assert report(str(out)) == f"{out}/report/index.html\n4 pages, 3 of documents\n"
    assert len(pages(out / "report")) == 4
    said = json.loads(report(str(out), "--to", str(tmp_path / "site"), "--documents", "1", "--json"))
    assert said == {
        "folder": f"{tmp_path}/site",
        "n_pages": 2,
        "n_documents": 1,
        "n_left_out": 2,
        "index": f"{tmp_path}/site/index.html",
    }
    assert [name.startswith("documents/supply-pdf-") for name in sorted(pages(tmp_path / "site"))] == [True, False]


def test_a_real_run_and_then_one_that_finds_nothing_new(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", "a", "b")
    first = project.run()
    project.run()
    assert "3 pages" in report(str(project.out))
    index = (project.out / "report" / "index.html").read_text()
    assert f"Run <code>{first['run_id']}</code>" in index
    assert "The last of 2 runs that did some work" in index
    assert index.count("<code>20") == 3
    assert project.run()["counts"]["unchanged"] == 2, (
        "the report is no source, and nothing of it is in the way of a run"
    )


def test_a_column_of_json_and_what_a_column_cannot_hold_are_shown(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", "a")
    schema = {"type": "object", "required": ["any", "many"], "additionalProperties": False, "properties": {
        "any": {"anyOf": [{"type": "integer", "minimum": 7, "maximum": 7}, {
            "type": "object", "properties": {"k": {"const": 5}}, "required": ["k"], "additionalProperties": False}]},
        "many": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"const": "word & word"}}}}  # fmt: skip
    (project.folder / "first.json").write_text(json.dumps(schema))
    project.run()
    report(str(project.out))
    [page] = (project.out / "report" / "documents").iterdir()
    text = page.read_text()
    assert "word &amp; word" in text
    assert ">k</span>" in text or ">7</span>" in text


@pytest.mark.parametrize(
    ("report_json", "code", "said"),
    [
        (None, 2, "no committed run"),
        ("{", 2, "cannot be read"),
        ("[]", 2, "no JSON object"),
        ("{}", 2, "another version"),
    ],
)
def test_a_folder_without_a_run_that_can_be_told_of(
    tmp_path: Path, report_json: str | None, code: int, said: str
) -> None:
    if report_json is not None:
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "20260102T030405Z-abcdef.json").write_text(report_json)
    assert said in report(str(tmp_path), code=code)
    assert not (tmp_path / "report").exists()


def test_an_evaluation_of_another_form_is_told_and_nothing_is_replaced(tmp_path: Path) -> None:
    made = good_output(tmp_path / "out")
    out = made.write()
    report(str(out))
    (out / "evaluation.json").write_text('{"tasks": {"contract": 3}}')
    before = pages(out / "report")
    assert "Run pipeline eval again" in report(str(out), code=2)
    assert pages(out / "report") == before


def test_a_damaged_table_is_told_and_nothing_is_replaced(tmp_path: Path) -> None:
    out = good_output(tmp_path / "out").write()
    report(str(out))
    (out / "evidence" / "run=20260102T030405Z-abcdef" / "part-00000.parquet").write_bytes(b"PAR1")
    assert "Cannot read" in report(str(out), code=4)
    assert len(pages(out / "report")) == 4


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    out = good_output(tmp_path / "out").write()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("x")
    assert "letter.txt" in report(str(out), "--to", str(tmp_path / "home"), code=4)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]
