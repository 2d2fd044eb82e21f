"""The state of an output folder: the last line of each source, of committed runs only."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputError
from pipeline.tables.commit import partition
from pipeline.tables.layout import SOURCES
from pipeline.tables.lines import Outcome, SettledSource, source_line
from pipeline.tables.staged import StagedTable
from pipeline.tables.state import Settled, load_state

RUNS = ["20261122T010000Z-1", "20261122T020000Z-2", "20261122T030000Z-3"]


def settled(doc_id: str, occurrence: int = 0, outcome: Outcome = Outcome.DOCUMENT) -> SettledSource:
    code = "encrypted" if outcome is Outcome.REJECTED else None
    return SettledSource(doc_id, occurrence, None if code else "k", f"in/{doc_id}", "e", "new", outcome, code, 3, 6, 1)


def write(folder: Path, run_id: str, *sources: SettledSource, is_committed: bool = True) -> Path:
    path = folder / "sources" / partition(run_id) / "part-00000.parquet"
    constants = {"fingerprint": f"f-{run_id}", "engine": "vllm", "run_id": run_id}
    table = StagedTable(path, SOURCES, {}, constants=constants)
    for ordinal, source in enumerate(sources):
        table.append(source_line(source), ordinal)
    table.close()
    if is_committed:
        (folder / "runs").mkdir(exist_ok=True)
        (folder / "runs" / f"{run_id}.json").write_text(f'{{"run_id": "{run_id}"}}')
    return path


def test_the_last_run_counts_for_each_source(tmp_path: Path) -> None:
    write(tmp_path, RUNS[0], settled("a"), settled("b"), settled("b", 1, Outcome.REJECTED))
    write(tmp_path, RUNS[1], settled("a", outcome=Outcome.REJECTED))
    state = load_state(tmp_path)
    expected = Settled(
        "a", 0, None, "in/a", "e", Outcome.REJECTED, "encrypted", 3, 6, 1, 0, 0, f"f-{RUNS[1]}", "vllm", RUNS[1]
    )
    assert state.find("a", 0) == expected
    assert state.find("b", 0) == Settled(
        "b", 0, "k", "in/b", "e", Outcome.DOCUMENT, None, 3, 6, 1, 0, 0, f"f-{RUNS[0]}", "vllm", RUNS[0]
    )
    found = state.find("b", 1)
    assert found is not None
    assert found.code == "encrypted"
    assert state.find("b", 2) is None
    assert state.find("c", 0) is None
    assert state.runs == RUNS[:2]
    assert len(state) == 3


def test_what_is_not_committed_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, RUNS[0], settled("a"))
    write(tmp_path, RUNS[1], settled("a"), settled("b"), is_committed=False)
    (tmp_path / "runs" / f".{RUNS[1]}.json").write_text("{")
    state = load_state(tmp_path)
    found = state.find("a", 0)
    assert found is not None
    assert found.run_id == RUNS[0]
    assert state.find("b", 0) is None
    assert state.runs == RUNS[:1]
    assert [path.parent.name for path in state.partitions("sources")] == [partition(RUNS[0])]


def test_removed_sources_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, RUNS[0], settled("a"), settled("a", 1, Outcome.REJECTED), settled("b"), settled("c"))
    write(tmp_path, RUNS[1], settled("b", outcome=Outcome.REMOVED), settled("a", outcome=Outcome.REMOVED))
    write(tmp_path, RUNS[2], settled("c", outcome=Outcome.REMOVED), settled("b"))
    state = load_state(tmp_path)
    assert sorted(state.doc_ids()) == ["a", "b"]
    assert sorted(state.fingerprints()) == [f"f-{RUNS[0]}", f"f-{RUNS[2]}"]
    assert sorted((source.doc_id, source.occurrence) for source in state.iter_present()) == [("a", 1), ("b", 0)]
    gone = state.find("c", 0)
    assert gone is not None
    assert gone.outcome is Outcome.REMOVED


def test_an_empty_folder_is_an_empty_state(tmp_path: Path) -> None:
    write(tmp_path / "b", RUNS[0])
    for folder in (tmp_path / "a", tmp_path / "b"):
        state = load_state(folder)
        assert state.find("a", 0) is None
        assert (len(state), list(state.iter_present())) == (0, [])
        assert state.partitions("responses") == []


def test_a_run_without_sources_is_committed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / f"{RUNS[0]}.json").write_text("{}")
    assert load_state(tmp_path).runs == RUNS[:1]


def test_a_shard_holds_its_own_documents_only(tmp_path: Path) -> None:
    write(tmp_path, RUNS[0], *(settled(str(n)) for n in range(10)))
    write(tmp_path, RUNS[1], *(settled(str(n)) for n in range(5)))
    state = load_state(tmp_path, lambda doc_id: int(doc_id) % 2 == 0)
    assert sorted(source.doc_id for source in state.iter_present()) == ["0", "2", "4", "6", "8"]
    assert state.find("1", 0) is None


CASES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "ä", "", "x" * 300]), st.integers(0, 2), st.sampled_from(Outcome)),
        max_size=12,
        unique_by=lambda case: case[:2],
    ),
    max_size=3,
)


@settings(max_examples=50, deadline=None)
@given(runs=CASES)
def test_it_is_what_a_dict_would_be(runs: list[list[tuple[str, int, Outcome]]]) -> None:
    expected: dict[tuple[str, int], tuple[str, Outcome]] = {}
    with TemporaryDirectory() as folder:
        for run_id, sources in zip(RUNS, runs, strict=False):
            write(Path(folder), run_id, *(settled(*source) for source in sources))
            expected.update({source[:2]: (run_id, source[2]) for source in sources})
        state = load_state(Path(folder))
    assert len(state) == len(expected)
    for key, last in expected.items():
        found = state.find(*key)
        assert found is not None
        assert (found.run_id, found.outcome) == last
    present = {key for key, (_, outcome) in expected.items() if outcome is not Outcome.REMOVED}
    assert {(source.doc_id, source.occurrence) for source in state.iter_present()} == present


def test_files_of_a_table_come_in_the_order_of_their_runs(tmp_path: Path) -> None:
    for run_id in reversed(RUNS):
        write(tmp_path, run_id, is_committed=run_id != RUNS[1])
        folder = tmp_path / "records" / "contract" / partition(run_id)
        folder.mkdir(parents=True)
        for part in ("part-00001.parquet", "part-00000.parquet", "part-00000.parquet.spool"):
            (folder / part).touch()
    found = [f"{path.parent.name}/{path.name}" for path in load_state(tmp_path).partitions("records/contract")]
    assert found == [f"{partition(run_id)}/part-0000{part}.parquet" for run_id in (RUNS[0], RUNS[2]) for part in (0, 1)]


def test_a_damaged_report_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, RUNS[0], settled("a"))
    write(tmp_path, RUNS[1], settled("b"))
    state = load_state(tmp_path)
    assert state.report(RUNS[0]) == {"run_id": RUNS[0]}
    for content in (b"", b'{"run_id": ', b"[]", b"\xff\xfe"):
        (tmp_path / "runs" / f"{RUNS[1]}.json").write_bytes(content)
        assert load_state(tmp_path).find("b", 0) is not None
        with pytest.raises(OutputError, match=rf"{RUNS[1]}\.json"):
            state.report(RUNS[1])
    (tmp_path / "runs" / f"{RUNS[1]}.json").unlink()
    with pytest.raises(OutputError, match=rf"{RUNS[1]}\.json"):
        state.report(RUNS[1])


def test_a_damaged_partition_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, RUNS[0], settled("a"))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(OutputError, match=rf"Cannot read .*sources/run={RUNS[0]}/part-00000\.parquet"):
        load_state(tmp_path)


def test_ten_thousand_sources_are_loaded_without_pandas(tmp_path: Path) -> None:
    write(tmp_path, RUNS[0], *(settled(f"d{n}") for n in range(10_000)))
    write(tmp_path, RUNS[1], settled("d7"))
    code = (
        "import sys; from pathlib import Path; from pipeline.tables.state import load_state\n"
        "state = load_state(Path(sys.argv[1]))\n"
        "found = state.find('d7', 0), len(state), len(list(state.iter_present()))\n"
        "print(found[0].run_id, *found[1:], 'pandas' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.split() == [RUNS[1], "10000", "10000", "False"]
