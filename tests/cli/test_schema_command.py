"""`pipeline schema`: what it prints is what a run makes, and what a warehouse takes."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml  # type: ignore[import-untyped]
from project import Project

from pipeline.cli.meanings import COLUMNS, TABLES
from pipeline.cli.schema import Format, schema
from pipeline.errors import JobError, SchemaError
from pipeline.schema.identifiers import Warehouse
from pipeline.tables.layout import CONFLICTS, DOCUMENTS, EVIDENCE, LINEAGE, REJECTS, RESPONSES, SOURCES

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "goldens" / "schema"
RICH = {
    "type": "object",
    "title": "Rich",
    "properties": {
        "who": {"type": "string", "maxLength": 20, "description": "Who's who"},
        "when": {"type": "string", "format": "date-time"},
        "lines": {
            "type": "array",
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "sum": {"type": "number", "multipleOf": 0.01, "minimum": 0},
                    "kind": {"enum": ["a", "b"]},
                },
                "required": ["sum", "kind"],
            },
        },
        "tags": {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 2},
        "free": {"type": ["integer", "string"], "maxLength": 5},
    },
    "required": ["who", "when", "lines", "tags", "free"],
}


def printed(capsys: pytest.CaptureFixture[str], job: Path, format_: Format, **options: Any) -> str:
    schema(job, format_=format_, **options)
    return capsys.readouterr().out


@pytest.mark.parametrize("format_", Format)
def test_the_contracts_register(capsys: pytest.CaptureFixture[str], format_: Format, rewrite_goldens: bool) -> None:
    text = printed(capsys, ROOT / "jobs" / "contracts.toml", format_, task="contract")
    golden = GOLDENS / f"contract.{format_.value}.txt"
    if rewrite_goldens:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A job that has run once, with lists, structs, maps and unions in its rows."""
    made = Project(tmp_path_factory.mktemp("project"), "a", "b")
    (made.folder / "first.json").write_text(json.dumps(RICH))
    (made.folder / "in" / "bad.pdf").write_text("<html>")
    (made.folder / "more.csv").write_text("uri,owner\nin/a.txt,me\nin/b.txt,you\nin/bad.pdf,\n")
    made.change('paths = ["in"]', 'manifest = "more.csv"')
    made.run()
    return made


def test_the_files_of_a_run_are_as_it_says(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    tables = json.loads(printed(capsys, project.folder / "job.toml", Format.JSON))
    assert [table["name"] for table in tables] == ["records_first", "records_second", *TABLES]
    for table in tables:
        (file,) = (project.folder / table["folder"]).glob("*/*.parquet")
        said = [(column["name"], in_file(column["type"]), column["nullable"]) for column in table["columns"]]
        read = [(field.name, in_file(str(field.type)), field.nullable) for field in pq.read_schema(file)]
        assert said == read
        ours = [c for c in table["columns"] if c["name"].startswith("_") or not table["name"].startswith("records_")]
        assert all(column["description"] for column in ours)
    assert [column["name"] for column in tables[0]["columns"]][-1] == "_owner"
    assert tables[0]["description"] == "Rich"
    assert tables[0]["columns"][0]["description"] == "Who's who"
    assert tables[0]["columns"][4] == {"name": "free", "type": "string", "nullable": True, "content": "json"}


def in_file(arrow: str) -> str:
    """A type without the names inside lists and maps, for which Parquet has its own."""
    return re.sub(r" \('\w+'\)", "", arrow.replace("<item: ", "<element: "))


def test_duckdb_loads_what_a_run_made(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(capsys, project.folder / "job.toml", Format.DUCKDB)
    loads = [line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- INSERT")]
    monkeypatch.chdir(project.folder)
    with duckdb.connect() as database:
        database.execute(text)
        for load in loads:
            database.execute(load)
            name, read = load.removeprefix("INSERT INTO ").split(" SELECT * ")
            assert database.execute(f"FROM {name} EXCEPT ALL SELECT * {read}").fetchall() == []
            assert database.execute(f"SELECT * {read} EXCEPT ALL FROM {name}").fetchall() == []
        assert database.execute("SELECT count(*), count(lines[1].sum) > 0 FROM records_first").fetchone() == (2, True)
        assert database.execute("SELECT count(*) FROM rejects").fetchone() == (1,)
    assert len(loads) == 8


def test_dbt_reads_where_the_files_are(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = project.folder / "job.toml"
    monkeypatch.chdir(project.folder)
    (source,) = yaml.safe_load(printed(capsys, job, Format.DBT))["sources"]
    assert source["name"] == "nightly"
    first = source["tables"][0]
    assert first["columns"][0] == {
        "name": "who",
        "quote": True,
        "description": "Who's who",
        "data_type": "VARCHAR",
    }
    with duckdb.connect() as database:
        described = database.execute(f"DESCRIBE FROM {first['meta']['external_location'].format()}").fetchall()
    assert [name for name, *_ in described] == [column["name"] for column in first["columns"]]
    (other,) = yaml.safe_load(printed(capsys, job, Format.DBT, warehouse=Warehouse.BIGQUERY))["sources"]
    assert other["tables"][0]["columns"][0]["data_type"] == "STRING"
    assert "meta" not in other["tables"][0]


def test_every_column_of_ours_has_a_meaning_and_no_meaning_is_left_over() -> None:
    fields = [
        field for table in (SOURCES, DOCUMENTS, RESPONSES, REJECTS, CONFLICTS, EVIDENCE, LINEAGE) for field in table
    ]
    silent = [field.name.removeprefix("_") for field in fields if b"description" not in (field.metadata or {})]
    assert set(COLUMNS) == set(silent)


def test_a_task_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(JobError, match="no task 'x'. Its tasks: contract"):
        schema(ROOT / "jobs" / "contracts.toml", task="x")
    assert capsys.readouterr().out == ""


def test_a_name_that_is_ours(project: Project, tmp_path: Path) -> None:
    made = Project(tmp_path / "other")
    (made.folder / "second.json").write_text(json.dumps({"type": "object", "properties": {"_URI": {}}}))
    with pytest.raises(SchemaError, match="_URI"):
        schema(made.folder / "job.toml")
    schema(made.folder / "job.toml", task="first")


def test_descriptions_are_no_templates_of_dbt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Project(tmp_path / "odd")
    text = {"type": "string", "description": "{{ x }} {% y %} {# z #} {}"}
    (made.folder / "first.json").write_text(json.dumps({"type": "object", "properties": {"a": text}, **text}))
    ((table,),) = (
        [*source["tables"]]
        for source in yaml.safe_load(printed(capsys, made.folder / "job.toml", Format.DBT, task="first"))["sources"]
    )
    for described in (table, table["columns"][0]):
        assert described["description"] == "{ { x }} { % y %} { # z #} {}"


def test_names_break_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Project(tmp_path / "odd")
    text = {"type": "string", "description": "one\ntwo\x00"}
    names = {"a\nb": text, "\u202e": text, "x; --\r": text}
    (made.folder / "first.json").write_text(json.dumps({"type": "object", "description": "a\nb", "properties": names}))
    lines = printed(capsys, made.folder / "job.toml", Format.ARROW, task="first").splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["a\\nb", "\\u202e", "x;"]
    assert all(line.isprintable() for line in lines)
