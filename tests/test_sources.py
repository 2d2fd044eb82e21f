"""Sources: every file once, in a stable order, with a stable identity; what cannot be opened is a reject."""

import hashlib
import os
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import JobError, Reject, RejectCode
from pipeline.sources import Entry, Source, doc_id_of, iter_entries, load_source, manifest_columns


def uris(paths: list[str], project: Path) -> list[str]:
    return [entry.uri for entry in iter_entries(paths, None, project)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("in/b.pdf", "in/a.pdf", "in/deep/c.txt", "in/.hidden", "in/.git/x.pdf", "other.vtt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_files_folders_and_globs_each_file_once(project: Path) -> None:
    assert uris(["in"], project) == ["in/a.pdf", "in/b.pdf", "in/deep/c.txt"]
    assert uris(["in/b.pdf", "in/*.pdf", "in"], project) == ["in/b.pdf", "in/a.pdf", "in/deep/c.txt"]
    assert uris(["**/*.txt"], project) == ["in/deep/c.txt"]
    assert uris(["in/**"], project) == ["in/a.pdf", "in/b.pdf", "in/deep/c.txt"]
    assert uris(["none/*.pdf"], project) == []


def test_a_named_path_that_is_absent_is_a_mistake(project: Path) -> None:
    with pytest.raises(JobError, match="names 'in/none.pdf'"):
        uris(["in/none.pdf"], project)


def test_an_absolute_path_outside_the_project_keeps_its_whole_name(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.txt"
    outside.write_text("x")
    assert uris([str(outside)], project) == [str(outside)]


def test_a_project_folder_with_glob_characters(tmp_path: Path) -> None:
    project = tmp_path / "a[1]*"
    project.mkdir()
    (project / "x.txt").write_text("x")
    assert uris(["*.txt"], project) == ["x.txt"]


def test_a_file_name_that_is_not_utf8_has_a_uri_that_is(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/na\xefve.txt"
    os.close(os.open(path, os.O_CREAT))
    (uri,) = uris(["*.txt"], tmp_path)
    assert uri == "na\\xefve.txt"
    (entry,) = iter_entries(["*.txt"], None, tmp_path)
    assert isinstance(load_source(entry, set()), Source)


def test_identity_is_stable_and_the_key_follows_the_content(project: Path) -> None:
    (entry,) = iter_entries(["other.vtt"], None, project)
    before = load_source(entry, set())
    (project / "other.vtt").write_text("changed")
    after = load_source(entry, set())
    assert isinstance(before, Source)
    assert isinstance(after, Source)
    assert before.doc_id == after.doc_id == doc_id_of("other.vtt")
    assert before.doc_key != after.doc_key
    assert after.sha256 == hashlib.sha256(b"changed").hexdigest()
    assert after.size_bytes == 7


def test_a_manifest_gives_ids_passwords_and_carries_columns(project: Path) -> None:
    frame = pd.DataFrame(
        {"customer": ["7", "NA"], "uri": ["in/a.pdf", "in/b.pdf"], "doc_id": ["A", ""], "password": ["", "s3"]}
    )
    frame.to_csv(project / "m.csv", index=False)
    frame.to_parquet(project / "m.parquet")
    for name in ("m.csv", "m.parquet"):
        first, second = iter_entries([], name, project)
        assert (first.doc_id, first.password, first.columns) == ("A", None, (("customer", "7"),))
        assert (second.doc_id, second.password) == (doc_id_of("in/b.pdf"), "s3")
        assert second.columns == (("customer", "NA"),)
        assert manifest_columns(name, project) == ("customer",)


@pytest.mark.parametrize(
    ("text", "said"),
    [("name\nx\n", "none is named 'uri'"), ("uri,x\n,1\n", "line 1 has no uri"), ("", "cannot be read as CSV")],
)
def test_a_wrong_manifest_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(JobError, match=said):
        list(iter_entries([], "m.csv", tmp_path))


def test_an_absent_or_binary_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(bytes(range(256)))
    (tmp_path / "m.parquet").write_bytes(b"PAR1")
    for name in ("none.csv", "m.csv", "m.parquet"):
        with pytest.raises(JobError, match="cannot be read"):
            list(iter_entries([], name, tmp_path))


def reject_of(entry: Entry, seen: set[str]) -> RejectCode:
    loaded = load_source(entry, seen)
    assert isinstance(loaded, Reject)
    assert loaded.uri == entry.uri
    return loaded.code


def test_what_cannot_be_opened_is_a_reject(project: Path) -> None:
    entry = Entry(uri="in/a.pdf", location=str(project / "in/a.pdf"), doc_id="1")
    seen: set[str] = set()
    assert isinstance(load_source(entry, seen), Source)
    assert reject_of(entry, seen) is RejectCode.SOURCE_DUPLICATE
    assert reject_of(Entry("x", str(project / "x"), "2"), seen) is RejectCode.SOURCE_MISSING
    assert reject_of(Entry("in", str(project / "in"), "3"), seen) is RejectCode.SOURCE_UNREADABLE
    os.mkfifo(project / "pipe")
    assert reject_of(Entry("pipe", str(project / "pipe"), "4"), seen) is RejectCode.SOURCE_UNREADABLE
    (project / "loop").symlink_to("loop")
    assert reject_of(Entry("loop", str(project / "loop"), "5"), seen) is RejectCode.SOURCE_UNREADABLE
    assert reject_of(Entry("nul", str(project / "a\0b"), "6"), seen) is RejectCode.SOURCE_UNREADABLE
