import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from pipeline.errors import OutputError, TryAgainError
from pipeline.reports.html.folder import replace_report


def write(target: Path, *names: str, text: str = "x") -> None:
    with replace_report(target) as report:
        for name in names:
            report.write(name, text)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_report_replaces_the_one_before_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "report", "index.html", "documents/a.html")
    write(tmp_path / "deep" / "report", "index.html", "documents/b.html", text="\ud800")
    assert names(tmp_path) == [f"deep/report/{name}" for name in ("documents/b.html", "index.html", "report.json")]


def test_a_failure_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "report", "old.html")
    with pytest.raises(ZeroDivisionError), replace_report(tmp_path / "report") as report:
        report.write("new.html", "x")
        raise ZeroDivisionError
    assert names(tmp_path) == ["report/old.html", "report/report.json"]


@pytest.mark.parametrize("foreign", ["notes.txt", "documents/mine.html", "index.html", "report.json"])
def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path, foreign: str) -> None:
    path = tmp_path / "report" / foreign
    path.parent.mkdir(parents=True)
    path.write_text('{"files": ["index.html"]}')
    with pytest.raises(OutputError, match=path.name):
        write(tmp_path / "report", "index.html")
    assert names(tmp_path) == [f"report/{foreign}"]


def test_what_somebody_put_into_a_report_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "report", "index.html")
    (tmp_path / "report" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write(tmp_path / "report", "index.html")
    assert (tmp_path / "report" / "notes.txt").read_text() == "mine"


def test_a_file_and_a_link_in_its_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for name in ("file", "link"):
        with pytest.raises(OutputError, match=name):
            write(tmp_path / name, "index.html")
    assert names(tmp_path) == ["file"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    write(tmp_path / "report", "index.html")
    assert names(tmp_path) == ["report/index.html", "report/report.json"]


def test_a_report_that_was_killed_between_its_two_renames_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "report", "old.html")
    (tmp_path / "report").rename(tmp_path / ".report.old")
    (tmp_path / ".report.new").mkdir()
    (tmp_path / ".report.new" / "report.json").write_text("")
    with pytest.raises(ZeroDivisionError), replace_report(tmp_path / "report"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["report/old.html", "report/report.json"]


def test_one_that_was_killed_after_them_is_cleared_away(tmp_path: Path) -> None:
    write(tmp_path / "report", "old.html")
    shutil.copytree(tmp_path / "report", tmp_path / ".report.old")
    write(tmp_path / "report", "new.html")
    assert names(tmp_path) == ["report/new.html", "report/report.json"]


@pytest.mark.parametrize("name", [".report.new", ".report.old"])
def test_a_folder_of_somebody_else_under_a_name_beside_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "report", "index.html")
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("x")
    with pytest.raises(OutputError):
        write(tmp_path / "report", "index.html")
    assert (tmp_path / name / "mine.txt").exists()


def test_two_at_the_same_time_are_not(tmp_path: Path) -> None:
    above = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(above, fcntl.LOCK_EX)
    with pytest.raises(TryAgainError):
        write(tmp_path / "report", "index.html")
    os.close(above)
    write(tmp_path / "report", "index.html")


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OutputError, match=r"cannot be locked: No locks available\. Write the report to another"):
        write(tmp_path / "report", "index.html")
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file"):
        write(tmp_path / "file" / "report", "index.html")
