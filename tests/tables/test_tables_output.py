"""The output folder: held, mended, staged, committed; on good days, on bad days, and killed at every step."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Timer

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from killing import survives

from pipeline.errors import JobError, OutputError, Reject, RejectCode, SchemaError, TryAgainError
from pipeline.schema.columns import Column, Kind
from pipeline.sources import Source
from pipeline.tables.layout import carried
from pipeline.tables.lines import Outcome, SettledSource, record_line, reject_line, source_line
from pipeline.tables.locks import WHOLE, Lane, Locks
from pipeline.tables.output import RunOutput, Tables, open_output

NOW = datetime(2026, 11, 22, 5, 49, 16, 250_000, tzinfo=UTC)
SCHEMA = {"properties": {"title": {"type": "string"}, "signed": {"type": ["string", "null"], "format": "date"}}}
COLUMNS = (Column("title", Kind.STRING), Column("signed", Kind.DATE))
SOURCE = Source(
    uri="in/ä.pdf", path=Path("in/ä.pdf"), doc_id="d1", sha256="0" * 64, size_bytes=3, columns=(("customer", "7"),)
)
LINEAGE = {"_n_chunks": 1, "_n_chunks_answered": 1}
REJECT = Reject(RejectCode.ENCRYPTED, "It asks for a password.", "in/x.pdf", "d2")
SETTLED = SettledSource("d1", 0, SOURCE.doc_key, "in/ä.pdf", "e" * 64, "new", Outcome.DOCUMENT, n_chunks=1, n_prompts=1)


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of kills without waiting for the disk: what a killed process wrote, synced or not, is there."""
    monkeypatch.setattr(os, "fsync", os.fstat)


def tables(columns: tuple[Column, ...] = COLUMNS) -> Tables:
    return Tables(
        columns={"contract": columns},
        schemas={"contract": json.dumps(SCHEMA)},
        carried_columns=["customer"],
        lineage={"_model": "m", "_job_fingerprint": "f"},
        metadata={"job": "nightly"},
        engine="synthetic",
        fingerprint="rows-1",
    )


def fill(output: RunOutput) -> None:
    output.rejects.append(reject_line(REJECT, None), 1)
    output.records["contract"].append(record_line({"title": "Lease", "signed": "2025-01-31"}, SOURCE, LINEAGE), 0)
    output.sources.append(source_line(SETTLED), 0)
    output.close()


def run(folder: Path, lane: Lane = WHOLE, now: datetime = NOW) -> str:
    """A whole run; returns its id."""
    with open_output(folder, lane, now) as opened:
        output = opened.open_tables(tables())
        fill(output)
        output.commit({"run_id": opened.run_id})
    return opened.run_id


def files(folder: Path) -> set[str]:
    """Every file but the locks."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".locks/")}


def whole(run_id: str) -> set[str]:
    names = ("rejects", "documents", "responses", "conflicts", "evidence", "records/contract", "sources")
    return {f"{name}/run={run_id}/part-00000.parquet" for name in names} | {f"runs/{run_id}.json"}


def test_a_committed_run_has_every_table_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "out"
    with open_output(folder, WHOLE, NOW) as opened:
        assert files(folder) == set()
        output = opened.open_tables(tables())
        fill(output)
        staged = {name.replace(f"/run={opened.run_id}", "") for name in whole(opened.run_id)}
        assert files(folder) == {f".staging/whole/{opened.run_id}/{name}" for name in staged if "runs/" not in name}
        path = output.commit({"run_id": opened.run_id})
    assert json.loads(path.read_text()) == {"run_id": opened.run_id}
    assert files(folder) == whole(opened.run_id)
    assert list((folder / ".staging").iterdir()) == []
    assert opened.recovered == ()


def test_tables_are_published_with_sources_last(tmp_path: Path) -> None:
    with open_output(tmp_path, WHOLE, NOW) as opened:
        names = list(opened.open_tables(tables()).tables)
    assert names == ["rejects", "documents", "responses", "conflicts", "evidence", "records/contract", "sources"]


def test_a_run_with_nothing_but_a_report_stages_no_table(tmp_path: Path) -> None:
    with open_output(tmp_path, Lane(1, 2), NOW) as opened:
        path = opened.commit_report({"nothing": "new"})
    assert files(tmp_path) == {f"runs/{opened.run_id}.json"}
    assert json.loads(path.read_text()) == {"nothing": "new"}


def test_the_tables_open_in_pyarrow_pandas_and_duckdb(tmp_path: Path) -> None:
    run_id = run(tmp_path)
    folder = tmp_path / "records" / "contract"
    table = ds.dataset(folder, partitioning="hive").to_table()
    assert table.column("signed").type == pa.date32()
    assert table.column("signed").to_pylist() == [date(2025, 1, 31)]
    assert table.column("_customer").to_pylist() == ["7"]
    frame = pd.read_parquet(folder)
    assert frame.loc[0, "title"] == "Lease"
    assert frame.loc[0, "run"] == run_id
    query = f"select title, typeof(signed), _uri, _engine, run from read_parquet('{folder}/**/*.parquet')"
    assert duckdb.connect().execute(query).fetchall() == [("Lease", "DATE", "in/ä.pdf", "synthetic", run_id)]
    part = pq.ParquetFile(folder / f"run={run_id}" / "part-00000.parquet")
    assert part.schema_arrow.metadata[b"job"] == b"nightly"
    assert part.schema_arrow.metadata[b"run_id"] == run_id.encode()
    assert part.schema_arrow.metadata[b"task"] == b"contract"
    assert json.loads(part.schema_arrow.metadata[b"json_schema"]) == SCHEMA
    column = part.metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.statistics.max == "Lease"


def test_every_line_says_which_run_and_which_engine(tmp_path: Path) -> None:
    run_id = run(tmp_path)
    for name in whole(run_id):
        if not name.endswith(".json"):
            line = pq.read_table(tmp_path / name, partitioning=None)
            prefix = "_" if name.startswith("records/") else ""
            assert line.column(f"{prefix}run_id").to_pylist() == [run_id] * line.num_rows
            assert line.column(f"{prefix}engine").to_pylist() == ["synthetic"] * line.num_rows
    sources = pq.read_table(tmp_path / "sources").to_pylist()
    assert [(line["doc_id"], line["fingerprint"], line["outcome"]) for line in sources] == [
        ("d1", "rows-1", "document")
    ]


def test_what_a_column_cannot_hold_stands_beside_it(tmp_path: Path) -> None:
    columns = (Column("n", Kind.INTEGER), Column("party", Kind.STRUCT, children=(Column("name", Kind.STRING),)))
    rows = [
        {"n": 1, "party": {"name": "Acme"}},
        {"n": 2**70, "party": {"name": "B", "_doc_id": "not ours"}, "_uri": Decimal("1.50"), "values": [None]},
    ]
    with open_output(tmp_path, WHOLE, NOW) as opened:
        output = opened.open_tables(tables(columns))
        for ordinal, row in enumerate(rows):
            output.records["contract"].append(record_line(row, SOURCE, LINEAGE), ordinal)
        output.commit({})
    path = tmp_path / f"records/contract/run={opened.run_id}/part-00000.parquet"
    plain, odd = pq.read_table(path, partitioning=None).to_pylist()
    assert (plain["n"], plain["party"], plain["_extra"]) == (1, {"name": "Acme"}, None)
    assert (odd["n"], odd["party"], odd["_doc_id"], odd["_uri"]) == (None, {"name": "B"}, "d1", "in/ä.pdf")
    assert odd["_extra"] == '{"/_uri":1.50,"/values":[null],"/n":1180591620717411303424,"/party/_doc_id":"not ours"}'


def test_empty_tables_keep_their_schema(tmp_path: Path) -> None:
    with open_output(tmp_path, WHOLE, NOW) as opened:
        opened.open_tables(tables()).commit({})
    empty = pq.read_table(tmp_path / f"records/contract/run={opened.run_id}/part-00000.parquet", partitioning=None)
    assert empty.num_rows == 0
    assert empty.schema.field("signed").type == pa.date32()


def test_what_is_not_committed_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), open_output(tmp_path, WHOLE, NOW) as opened:
        fill(opened.open_tables(tables()))
        raise RuntimeError
    assert files(tmp_path) == set()
    assert list((tmp_path / ".staging").iterdir()) == []


def test_a_run_killed_at_any_step_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    said: list[str] = []
    for kill_at in range(1000):
        folder = tmp_path / f"out-{kill_at}"
        survived = survives(lambda folder=folder: run(folder), kill_at, folder)  # type: ignore[misc]
        with open_output(folder, WHOLE, NOW) as opened:
            pass
        reports = [path.stem for path in (folder / "runs").glob("*.json")]
        assert len(reports) <= 1
        assert files(folder) == {name for run_id in reports for name in whole(run_id)}
        assert all(run_id < opened.run_id for run_id in reports)
        for path in folder.rglob("*.parquet"):
            assert pq.read_table(path, partitioning=None).num_rows == (
                path.parts[-3] not in {"documents", "responses", "conflicts", "evidence"}
            )
        assert len(opened.recovered) <= 1
        said += [" ".join(sentence.split()[:2]) for sentence in opened.recovered]
        with open_output(folder, WHOLE, NOW) as again:
            assert again.recovered == ()
        if survived:
            assert opened.recovered == ()
            break
        shutil.rmtree(folder)
    assert kill_at > 60
    assert set(said) == {"Removed what", "Finished the", "Cleared away"}


def test_run_ids_only_grow_also_when_the_clock_goes_back(tmp_path: Path) -> None:
    clock = [NOW, NOW, NOW - timedelta(days=400), NOW + timedelta(seconds=1), NOW + timedelta(days=1)]
    run_ids = [run(tmp_path, now=now) for now in clock]
    assert run_ids == sorted(set(run_ids))
    seconds = [run_id.partition("-")[0] for run_id in run_ids]
    assert seconds == [
        "20261122T054916Z",
        "20261122T054917Z",
        "20261122T054918Z",
        "20261122T054919Z",
        "20261123T054916Z",
    ]


def test_a_run_is_named_after_what_is_staged_beside_it_and_in_utc(tmp_path: Path) -> None:
    with open_output(tmp_path, Lane(1, 2), NOW) as first:
        first.open_tables(tables())
        with open_output(tmp_path, Lane(2, 2), datetime.fromisoformat("2026-11-22T06:49:16+01:00")) as second:
            assert second.recovered == ()
            assert second.run_id.startswith("20261122T054917Z-")


def test_names_that_are_no_run_ids_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("notes", "99999999T999999Z-ffffff", "zzz", "20990101T000000Z"):
        (tmp_path / "runs" / f"{name}.json").write_text("{")
    assert run(tmp_path).startswith("20261122T054916Z-")


def test_shards_commit_beside_each_other_and_the_whole_waits(tmp_path: Path) -> None:
    with open_output(tmp_path, Lane(1, 2), NOW) as first, open_output(tmp_path, Lane(2, 2), NOW) as second:
        outputs = [opened.open_tables(tables()) for opened in (first, second)]
        for output in outputs:
            fill(output)
        with pytest.raises(TryAgainError, match=f"Run {first.run_id} "), open_output(tmp_path, WHOLE, NOW):
            pass
        for output in outputs:
            output.commit({})
    assert files(tmp_path) == whole(first.run_id) | whole(second.run_id)


def test_a_shard_mends_what_dead_shards_left_and_leaves_the_living_alone(tmp_path: Path) -> None:
    def die(lane: Lane) -> None:
        with open_output(tmp_path, lane, NOW) as opened:
            fill(opened.open_tables(tables()))
            os.kill(os.getpid(), 9)

    with open_output(tmp_path, Lane(1, 3), NOW) as living:
        output = living.open_tables(tables())
        fill(output)
        assert not survives(lambda: die(Lane(2, 3)), -1, tmp_path)
        with open_output(tmp_path, Lane(3, 3), NOW) as opened:
            assert [sentence.partition(":")[1] for sentence in opened.recovered] == [":"]
        output.commit({})
    assert files(tmp_path) == whole(living.run_id)


def test_a_start_waits_for_another_to_pass_the_gate(tmp_path: Path) -> None:
    run(tmp_path)
    passed = []
    gate = Locks(tmp_path).gate()

    def leave() -> None:
        passed.append(True)
        gate.__exit__(None, None, None)

    gate.__enter__()
    timer = Timer(0.3, leave)
    timer.start()
    with open_output(tmp_path, WHOLE, NOW):
        assert passed
    timer.join()


def test_a_failed_recovery_lets_the_folder_go_and_keeps_what_was_left(tmp_path: Path) -> None:
    intent = tmp_path / ".staging" / "whole" / "20261122T000000Z-000000" / "commit.json"
    intent.parent.mkdir(parents=True)
    intent.write_text("{")
    for _ in range(2):
        with pytest.raises(OutputError, match="is damaged"), open_output(tmp_path, WHOLE, NOW):
            pass
    assert intent.exists()


def test_a_carried_column_never_stands_in_for_lineage() -> None:
    assert [field.name for field in carried(["customer", "run"])] == ["_customer", "_run"]
    for names in (["uri"], ["engine"], ["a", "a"], ["a", "A"], ["Doc_ID"], ["extra"]):
        with pytest.raises(JobError, match="would stand twice"):
            carried(names)


@pytest.mark.parametrize("name", ["_uri", "_Doc_ID", "_extra", "_customer", "_CUSTOMER"])
def test_a_property_never_takes_the_name_of_a_column_of_ours(name: str) -> None:
    taken = name.lower()
    with pytest.raises(SchemaError, match=f"Task 'contract': its schema has the property '{name}'.*column '{taken}'"):
        tables((*COLUMNS, Column(name, Kind.STRING)))
    tables((*COLUMNS, *(Column(other, Kind.STRING) for other in (f"{name}_", name.strip("_")))))


@pytest.mark.parametrize("name", ["", "below", ".locks", ".staging", "runs"])
def test_a_file_in_the_way_is_named_at_the_start(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    file, asked = (folder, folder / "below") if name in {"", "below"} else (folder / name, folder)
    file.parent.mkdir(exist_ok=True)
    file.write_text("in the way")
    asked = folder if name == "" else asked
    with pytest.raises(OutputError, match="is not a folder") as caught, open_output(asked, WHOLE, NOW):
        pass
    assert str(file) in str(caught.value)
    assert file.read_text() == "in the way"


@pytest.mark.parametrize("name", ["documents", "records", "records/contract", "sources"])
def test_a_file_in_the_way_of_a_table_is_named_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("in the way")
    with open_output(tmp_path, WHOLE, NOW) as opened, pytest.raises(OutputError, match=f"{name} is not a folder"):
        opened.open_tables(tables())
    assert files(tmp_path) == {name}


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_table_on_another_file_system_is_refused_before_any_work(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is no other file system")
        (tmp_path / "documents").symlink_to(other)
        with open_output(tmp_path, WHOLE, NOW) as opened, pytest.raises(OutputError, match="another file system"):
            opened.open_tables(tables())


@pytest.fixture
def anyones_folder() -> Iterator[Path]:
    """A folder whose parents everybody may pass; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_another_user(action: Callable[[], object]) -> Callable[[], object]:
    """Do it without root's powers, to whom permissions mean nothing."""

    def lowered() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        action()

    return lowered


@pytest.mark.parametrize("closed", [".", "runs", "documents", ".staging"])
def test_a_folder_that_may_not_be_written_is_said_at_the_start(anyones_folder: Path, closed: str) -> None:
    folder = anyones_folder / "out"
    place = folder / closed
    place.mkdir(parents=True)
    folder.chmod(0o777)
    place.chmod(0o555)

    def start() -> None:
        with (
            pytest.raises(OutputError, match=r"may not be changed by this user. Mend its permissions"),
            open_output(folder, WHOLE, NOW) as opened,
        ):
            opened.open_tables(tables())

    assert survives(as_another_user(start), -1, folder)
    place.chmod(0o777)
    assert survives(as_another_user(lambda: run(folder)), -1, folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave another user's lock")
def test_a_lock_of_another_user_is_named(anyones_folder: Path) -> None:
    folder = anyones_folder / "out"
    run(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o644)

    def start() -> None:
        message = r"Cannot lock .*gate\.lock, which belongs to the user root: Permission denied"
        with pytest.raises(OutputError, match=message), open_output(folder, WHOLE, NOW):
            pass

    assert survives(as_another_user(start), -1, folder)


def test_a_file_that_cannot_grow_is_an_output_error_that_names_it(tmp_path: Path) -> None:
    def write_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
        with (
            pytest.raises(OutputError, match=r"Cannot write .*rejects/part-00000\.parquet.*nothing is lost"),
            open_output(tmp_path, WHOLE, NOW) as opened,
        ):
            rejects = opened.open_tables(tables()).rejects
            for n in range(100_000):
                rejects.append({**reject_line(REJECT, None), "detail": str(hash(str(n)))}, n)

    assert survives(write_much, -1, tmp_path)
    assert files(tmp_path) == set()
    run(tmp_path)


FULL_DISK = """
import os, sys
from contextlib import suppress
from pathlib import Path
from test_tables_output import NOW, REJECT, WHOLE, OutputError, files, open_output, reject_line, run, tables, whole

folder = Path(sys.argv[1]) / "out"
kept = run(folder)
try:
    with open_output(folder, WHOLE, NOW) as opened:
        output = opened.open_tables(tables())
        for n in range(1_000_000):
            output.rejects.append({**reject_line(REJECT, None), "detail": os.urandom(500).hex()}, n)
except OutputError as error:
    print(error)
    output = None  # a removed file takes room as long as it is open
assert files(folder) == whole(kept)

ballast = folder.with_name("ballast")
n_refused = 0
for free in range(0, 64_000, 4_000):
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(ballast, max(ballast.stat().st_size - free, 0))
    before = files(folder)
    try:
        run(folder)
    except OutputError:
        n_refused += 1
    ballast.unlink()
    with open_output(folder, WHOLE, NOW) as opened:
        pass
    run_ids = [path.stem for path in (folder / "runs").glob("*.json")]
    assert files(folder) == {name for run_id in run_ids for name in whole(run_id)} >= before
print("refused:", n_refused, "of 16")
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=600k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk of their own")
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [*alone, "sh", "-c", mount, "sh", str(tmp_path), sys.executable, FULL_DISK],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    full, refused = done.stdout.splitlines()
    for said in ("rejects/part-00000.parquet", "No space left on device", "nothing is lost"):
        assert said.lower() in full.lower()
    assert 2 < int(refused.split()[1]) < 16, refused
