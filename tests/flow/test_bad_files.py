"""Every bad file among the real documents, mixed with good ones, in one run: all of them are accounted for."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from project import Project

MOST_BYTES = 300_000
"""Larger files are the long ones, good as far as this test is concerned; they have tests of their own."""
KNOWN = {
    "zeropage__qp__empty.pdf": "no_pages",
    "corrupt__derived__html_error_as_pdf.pdf": "wrong_content",
}


@pytest.mark.corpus
def test_bad_files_among_good_ones(corpus: Path, tmp_path: Path) -> None:
    project = Project(tmp_path)
    with (corpus / "PROVENANCE.tsv").open(encoding="utf-8", newline="") as file:
        password = {line["file"]: line["password"].partition("|")[0] for line in csv.DictReader(file, delimiter="\t")}
    found = [path for name in ("pdf", "cuad", "transcripts") for path in sorted((corpus / name).rglob("*"))]
    uris = [str(path) for path in found if path.is_file() and path.stat().st_size <= MOST_BYTES]
    assert len(uris) > 300, "the list of the real documents is there"
    with (project.folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "password"])
        writer.writerows([uri, password.get(Path(uri).name, "")] for uri in [*uris, "in/absent.pdf", uris[0]])
    project.change('paths = ["in"]\nn_workers = 1', 'manifest = "list.csv"')
    project.change("max_tokens = 60", "max_tokens = 4000")

    report = project.run()

    assert report["exit_code"] == 0
    counts, n_sources = report["counts"], len(uris) + 2
    assert counts["sources"] == n_sources == counts["documents"] + counts["rejected_sources"]
    rejects = [row for row in project.rows("rejects") if row["stage"] in ("source", "read")]
    assert Counter(row["code"] for row in rejects) == Counter(report["rejects"])
    assert len(rejects) == counts["rejected_sources"] > 60
    assert all(row["detail"] and row["advice"] for row in rejects)
    ended = Counter([row["uri"] for row in rejects] + [row["uri"] for row in project.rows("documents")])
    assert ended == Counter([*uris, "in/absent.pdf", uris[0]])
    codes = {Path(row["uri"]).name: row["code"] for row in rejects}
    assert {name: codes[name] for name in KNOWN} == KNOWN
    assert set(codes.values()) > {"corrupt", "empty_file", "encrypted", "image_only", "malformed_transcript", "no_text"}
    assert codes["absent.pdf"] == "source_missing"
    n_rows = {task: len(project.rows(f"records/{task}")) for task in ("first", "second")}
    assert n_rows == {"first": counts["documents"], "second": counts["documents"]}
    assert project.run()["counts"]["unchanged"] == n_sources
