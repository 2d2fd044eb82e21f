"""A password of the manifest opens its document and is written down nowhere: not in a table, a report or a log."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pypdf
import pytest
from made_pdf import raw_pdf
from project import Project
from typer.testing import CliRunner

from pipeline.cli.app import app

RIGHT, WRONG = "k7-Rhodium-lantern", "k8-Osmium-candle"


def encrypted(path: Path) -> None:
    path.write_bytes(raw_pdf(b"BT /F1 12 Tf 72 700 Td (Signed by Alder Mills Ltd in Lyon today) Tj ET"))
    writer = pypdf.PdfWriter(clone_from=path)
    writer.encrypt(RIGHT, algorithm="AES-256")
    writer.write(path)


def written(folder: Path) -> Iterator[tuple[Path, str]]:
    """All that a folder holds, as text: of tables every value, since their pages are compressed."""
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield path, f"{table.schema.metadata} {table.to_pylist()}"
        elif path.is_file():
            yield path, path.read_bytes().decode("utf-8", "replace")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = Project(tmp_path / "p").folder
    for name in ("opened", "shut"):
        encrypted(folder / "in" / f"{name}.pdf")
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = [["uri", "password"], ["in/opened.pdf", RIGHT], ["in/shut.pdf", WRONG]]
        csv.writer(file).writerows(rows)
    job = (folder / "job.toml").read_text().replace('paths = ["in"]', 'manifest = "manifest.csv"')
    (folder / "job.toml").write_text(job)
    (folder / "gold.jsonl").write_text(json.dumps({"uri": "opened.pdf", "first.who": "Alder"}) + "\n")
    return folder


def test_a_password_is_written_nowhere(project: Path) -> None:
    job, out = str(project / "job.toml"), project / "out"
    said = ""
    for words in (["run", job], ["eval", job, "--gold", str(project / "gold.jsonl")], ["report", str(out)]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        said += done.output
    texts = dict(written(out))
    assert any("Alder Mills" in text for path, text in texts.items() if path.suffix == ".html")
    assert any("encrypted" in text for path, text in texts.items() if path.parent.name == "runs")
    assert {"evaluation.json", "index.html"} <= {path.name for path in texts}
    leaks = [path for path, text in texts.items() if RIGHT in text or WRONG in text]
    assert leaks == []
    assert RIGHT not in said
    assert WRONG not in said
