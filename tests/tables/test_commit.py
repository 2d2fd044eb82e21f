"""A commit is all or nothing: killed before any step, killed again while it is mended, damaged, out of space."""

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from killing import logged_steps, survives

from pipeline.errors import OutputError
from pipeline.tables.commit import commit, discard, recover, report_path, staging_folder

LANE, RUN = "whole", "20261122T054916Z-688772"
TABLES = ("documents", "records/contract", "sources")
PART = "part-00000.parquet"
REPORT: dict[str, object] = {"run_id": RUN, "zahl": 1.5, "wörter": ["ä", None, True]}

UNDONE = f"Removed what run {RUN} left: it ended before its commit."
FINISHED = f"Finished the commit of run {RUN}, which was cut off."
CLEARED = f"Cleared away what the committed run {RUN} had left to remove."

Tree = dict[str, bytes | None]


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of kills without waiting for the disk: what a killed process wrote, synced or not, is there.

    That things are synced, and in which order, is a test of its own, by the log of the steps.
    """
    monkeypatch.setattr(os, "fsync", os.fstat)


def stage(output: Path, run_id: str = RUN, lane: str = LANE) -> Path:
    staging = staging_folder(output, lane, run_id)
    for table in TABLES:
        (staging / table).mkdir(parents=True)
        (staging / table / PART).write_bytes(f"rows of {table}".encode() * 10)
    return staging


def free(_name: str) -> bool:
    return True


def tree(output: Path) -> Tree:
    """Every folder (None) and file of it."""
    return {str(path.relative_to(output)): None if path.is_dir() else path.read_bytes() for path in output.rglob("*")}


def assert_readers_see_all_or_none(output: Path) -> None:
    """A run whose report is there has every table, whole."""
    if report_path(output, RUN).exists():
        assert json.loads(report_path(output, RUN).read_text()) == REPORT
        for table in TABLES:
            assert (output / table / f"run={RUN}" / PART).read_bytes() == f"rows of {table}".encode() * 10


def undisturbed(output: Path) -> Tree:
    stage(output)
    commit(output, LANE, RUN, TABLES, REPORT)
    shutil.rmtree(output / ".staging")
    return tree(output)


def kill_everywhere(make: Callable[[], Path], action: Callable[[Path], object], check: Callable[[Path], None]) -> int:
    """Kill an action before each of its steps in turn, always on a new folder; returns how many there were."""
    for kill_at in range(1000):
        output = make()
        if survives(lambda output=output: action(output), kill_at, output):  # type: ignore[misc]
            return kill_at
        check(output)
    raise AssertionError("it never came to its end")


def mended(output: Path, whole: Tree) -> list[str]:
    """Recover, and see that the folder then has all of the run or nothing of it, and that nothing is left to say."""
    was_decided = (staging_folder(output, LANE, RUN) / "commit.json").exists() or report_path(output, RUN).exists()
    said = recover(output, free)
    assert recover(output, free) == []
    shutil.rmtree(output / ".staging")
    assert tree(output) == (whole if was_decided else {})
    return said


def test_a_commit_has_every_table_the_report_and_nothing_else(tmp_path: Path) -> None:
    stage(tmp_path)
    path = commit(tmp_path, LANE, RUN, TABLES, REPORT)
    assert path == tmp_path / "runs" / f"{RUN}.json"
    assert path.read_text(encoding="utf-8").endswith("}\n")
    files = {name for name, content in tree(tmp_path).items() if content is not None}
    assert files == {f"runs/{RUN}.json"} | {f"{table}/run={RUN}/{PART}" for table in TABLES}
    assert_readers_see_all_or_none(tmp_path)
    assert not staging_folder(tmp_path, LANE, RUN).exists()
    assert recover(tmp_path, free) == []


def test_a_run_with_nothing_but_a_report(tmp_path: Path) -> None:
    commit(tmp_path, LANE, RUN, (), REPORT)
    assert [name for name, content in tree(tmp_path).items() if content is not None] == [f"runs/{RUN}.json"]


def test_killed_before_any_step_a_commit_is_finished_or_undone(tmp_path: Path) -> None:
    whole = undisturbed(tmp_path / "whole")
    numbers = iter(range(1000))
    said: list[str] = []

    def make() -> Path:
        output = tmp_path / f"out-{next(numbers)}"
        stage(output)
        return output

    def check(output: Path) -> None:
        assert_readers_see_all_or_none(output)
        said.extend(mended(output, whole))

    n_steps = kill_everywhere(make, lambda output: commit(output, LANE, RUN, TABLES, REPORT), check)
    assert n_steps > 40
    assert set(said) == {UNDONE, FINISHED, CLEARED}
    assert said == sorted(said, key=[UNDONE, FINISHED, CLEARED].index)


def test_killed_again_while_it_is_mended_it_still_ends_whole(tmp_path: Path) -> None:
    whole = undisturbed(tmp_path / "whole")
    numbers = iter(range(100_000))
    states: dict[str, Path] = {}

    def make_staged() -> Path:
        output = tmp_path / f"out-{next(numbers)}"
        stage(output)
        return output

    def remember(output: Path) -> None:
        states.setdefault(repr(sorted(tree(output).items())), output)

    kill_everywhere(make_staged, lambda output: commit(output, LANE, RUN, TABLES, REPORT), remember)
    assert len(states) > 15
    n_kills = 0
    for state in states.values():

        def make_again(state: Path = state) -> Path:
            return Path(shutil.copytree(state, tmp_path / f"out-{next(numbers)}"))

        def check(output: Path) -> None:
            assert_readers_see_all_or_none(output)
            mended(output, whole)
            shutil.rmtree(output)

        n_kills += kill_everywhere(make_again, lambda output: recover(output, free), check)
    assert n_kills > 300


def test_each_step_is_on_the_disk_before_one_that_relies_on_it(tmp_path: Path) -> None:
    stage(tmp_path)
    steps = logged_steps(lambda: commit(tmp_path, LANE, RUN, TABLES, REPORT), tmp_path)
    staging = f".staging/{LANE}/{RUN}"

    def at(step: str, after: int = 0) -> int:
        return steps.index(step, after)

    intent = at(f"replace {staging}/.commit.json.tmp {staging}/commit.json")
    assert at(f"fsync {staging}/.commit.json.tmp") < intent
    for table in TABLES:
        assert at(f"fsync {staging}/{table}/{PART}") < at(f"fsync {staging}/{table}") < intent
    first = min(number for number, step in enumerate(steps) if step.startswith("rename "))
    for folder in (staging, f".staging/{LANE}", ".staging", "."):
        assert intent < at(f"fsync {folder}", intent) < first
    report = at(f"replace {staging}/.{RUN}.json.tmp runs/{RUN}.json")
    for table in TABLES:
        renamed = at(f"rename {staging}/{table} {table}/run={RUN}")
        for folder in (table, "."):
            assert renamed < at(f"fsync {folder}", renamed) < report
    assert at("fsync records", first) < report
    assert at(f"fsync {staging}/.{RUN}.json.tmp") < report
    gone = min(number for number, step in enumerate(steps) if step.startswith(("unlink", "rmdir")))
    assert report < at("fsync runs", report) < at("fsync .", at("fsync runs", report)) < gone


def test_sources_are_published_last_of_the_tables(tmp_path: Path) -> None:
    stage(tmp_path)
    steps = logged_steps(lambda: commit(tmp_path, LANE, RUN, TABLES, REPORT), tmp_path)
    renamed = [step.split()[-1] for step in steps if step.startswith("rename ")]
    assert renamed == [f"{table}/run={RUN}" for table in TABLES]


def test_what_a_living_lane_stages_is_not_touched(tmp_path: Path) -> None:
    living = stage(tmp_path, lane="shard-2-of-2")
    stage(tmp_path, lane="shard-1-of-2")
    (tmp_path / ".staging" / "notes").mkdir()
    assert recover(tmp_path, lambda name: name == "shard-1-of-2") == [UNDONE]
    assert (living / "documents" / PART).exists()
    assert sorted(path.name for path in (tmp_path / ".staging").iterdir()) == ["notes", "shard-2-of-2"]


def test_several_runs_left_in_several_lanes_are_each_settled(tmp_path: Path) -> None:
    cut_off = stage(tmp_path, "20261122T000001Z-000001", "shard-1-of-2")
    assert not survives(
        lambda: commit(tmp_path, "shard-1-of-2", "20261122T000001Z-000001", TABLES, REPORT), 25, tmp_path
    )
    assert (cut_off / "commit.json").exists()
    stage(tmp_path, "20261122T000002Z-000002", "shard-1-of-2")
    stage(tmp_path, "20261122T000003Z-000003", "shard-2-of-2")
    assert [sentence.split(" ")[0] for sentence in recover(tmp_path, free)] == ["Finished", "Removed", "Removed"]
    assert list((tmp_path / ".staging").iterdir()) == []


def test_discarding_removes_what_was_staged_but_never_a_commit_that_has_begun(tmp_path: Path) -> None:
    stage(tmp_path)
    discard(tmp_path, LANE, RUN)
    assert tree(tmp_path) == {".staging": None}
    stage(tmp_path)
    assert not survives(lambda: commit(tmp_path, LANE, RUN, TABLES, REPORT), 25, tmp_path)
    before = tree(tmp_path)
    discard(tmp_path, LANE, RUN)
    assert tree(tmp_path) == before
    assert recover(tmp_path, free) == [FINISHED]
    discard(tmp_path, LANE, RUN)
    discard(tmp_path / "nowhere", LANE, RUN)


def cut_off_commit(output: Path) -> Path:
    """A commit killed right after its intent; returns the intent."""
    stage(output)
    steps = logged_steps(lambda: commit(output, LANE, RUN, TABLES, REPORT), output)
    shutil.rmtree(output)
    stage(output)
    first = next(number for number, step in enumerate(steps) if step.startswith("rename "))
    assert not survives(lambda: commit(output, LANE, RUN, TABLES, REPORT), first, output)
    return staging_folder(output, LANE, RUN) / "commit.json"


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"[]", b'{"run_id": 3, "tables": {}, "report": {}}', b'{"run_id": "x"}', b"\xff\xfe", b"[" * 100_000],
)
def test_a_damaged_intent_is_named_and_nothing_is_touched(tmp_path: Path, damaged: bytes) -> None:
    intent = cut_off_commit(tmp_path / "out")
    intent.write_bytes(damaged)
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="is damaged") as caught:
        recover(tmp_path / "out", free)
    assert str(intent) in str(caught.value)
    assert "remove" in str(caught.value)
    assert tree(tmp_path) == before


def test_an_intent_of_another_run_is_damage(tmp_path: Path) -> None:
    intent = cut_off_commit(tmp_path)
    intent.write_text(intent.read_text().replace(f'"run_id": "{RUN}"', '"run_id": "20261122T054916Z-000000"', 1))
    with pytest.raises(OutputError, match="is damaged"):
        recover(tmp_path, free)


def test_a_half_committed_run_is_never_called_committed(tmp_path: Path) -> None:
    cut_off_commit(tmp_path)
    part = staging_folder(tmp_path, LANE, RUN) / "records" / "contract" / PART
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(
        OutputError, match=r"contract holds part-00000.parquet \(239 bytes\) instead of .*\(240 bytes\)"
    ):
        recover(tmp_path, free)
    assert not report_path(tmp_path, RUN).exists()
    shutil.rmtree(part.parent)
    with pytest.raises(OutputError, match="holds nothing instead of"):
        recover(tmp_path, free)
    assert not report_path(tmp_path, RUN).exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "sources" / f"run={RUN}"
    place.mkdir(parents=True)
    stage(tmp_path)
    with pytest.raises(OutputError, match="is there already"):
        commit(tmp_path, LANE, RUN, TABLES, REPORT)
    assert not (tmp_path / "documents").exists()
    place.rmdir()
    cut_off_commit(tmp_path / "out")
    (tmp_path / "out" / "sources" / f"run={RUN}").mkdir(parents=True)
    with pytest.raises(OutputError, match="Move one of them away"):
        recover(tmp_path / "out", free)
    assert not report_path(tmp_path / "out", RUN).exists()


def test_a_report_that_does_not_fit_on_the_disk_leaves_nothing_half_done(tmp_path: Path) -> None:
    def with_no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        with pytest.raises(OutputError, match=r"Cannot write .*commit\.json: .*nothing is lost"):
            commit(tmp_path, LANE, RUN, TABLES, {"long": "x" * 1000})

    stage(tmp_path)
    assert survives(with_no_room, -1, tmp_path)
    assert recover(tmp_path, free) == [UNDONE]


def test_a_file_in_the_way_of_a_table_stops_the_commit_until_it_is_moved(tmp_path: Path) -> None:
    stage(tmp_path)
    (tmp_path / "sources").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write .*sources"):
        commit(tmp_path, LANE, RUN, TABLES, REPORT)
    discard(tmp_path, LANE, RUN)
    with pytest.raises(OutputError, match="Cannot write .*sources"):
        recover(tmp_path, free)
    (tmp_path / "sources").unlink()
    assert recover(tmp_path, free) == [FINISHED]
    assert_readers_see_all_or_none(tmp_path)
