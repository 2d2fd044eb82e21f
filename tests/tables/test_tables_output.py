"""The output folder: staged, committed by rename, recovered after a crash, held by one run at a time."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline.errors import JobError, OutputError, Reject, RejectCode, TryAgainError
from pipeline.schema.columns import build_columns
from pipeline.schema.normal import normalise
from pipeline.sources import Source
from pipeline.tables import commit as committing
from pipeline.tables.layout import carried, record_line, reject_line
from pipeline.tables.output import RunOutput, Tables, open_output

SCHEMA = {"properties": {"title": {"type": "string"}, "signed": {"type": ["string", "null"], "format": "date"}}}
SOURCE = Source(
    uri="in/ä.pdf", path=Path("in/ä.pdf"), doc_id="d1", sha256="0" * 64, size_bytes=3, columns=(("customer", "7"),)
)
LINEAGE = {"_n_chunks": 1, "_n_chunks_answered": 1}
REJECT = Reject(RejectCode.ENCRYPTED, "It asks for a password.", "in/x.pdf", "d2")


def tables() -> Tables:
    return Tables(
        columns={"contract": build_columns(normalise({"type": "object", **SCHEMA}))},
        schemas={"contract": json.dumps(SCHEMA)},
        carried_columns=["customer"],
        lineage={"_model": "m", "_job_fingerprint": "f"},
        metadata={"job": "nightly"},
    )


def fill(output: RunOutput) -> None:
    output.rejects.append(reject_line(REJECT))
    output.records["contract"].append(record_line({"title": "Lease", "signed": "2025-01-31"}, SOURCE, LINEAGE))
    output.close()


def committed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


WHOLE = {
    "documents/run=r1/part-00000.parquet",
    "responses/run=r1/part-00000.parquet",
    "rejects/run=r1/part-00000.parquet",
    "records/contract/run=r1/part-00000.parquet",
    "runs/r1.json",
}


def test_a_committed_run_has_every_table_and_nothing_else(tmp_path: Path) -> None:
    with open_output(tmp_path / "out", "r1", tables()) as output:
        fill(output)
        assert committed(tmp_path / "out") == {f".staging/r1/{name.replace('/run=r1', '')}" for name in WHOLE} - {
            ".staging/r1/runs/r1.json"
        }
        path = output.commit({"run_id": "r1"})
    assert json.loads(path.read_text()) == {"run_id": "r1"}
    assert committed(tmp_path / "out") == WHOLE


def test_the_tables_open_in_pyarrow_pandas_and_duckdb(tmp_path: Path) -> None:
    with open_output(tmp_path, "r1", tables()) as output:
        fill(output)
        output.commit({})
    folder = tmp_path / "records" / "contract"
    table = ds.dataset(folder, partitioning="hive").to_table()
    assert table.column("signed").type == pa.date32()
    assert table.column("signed").to_pylist() == [date(2025, 1, 31)]
    assert table.column("_customer").to_pylist() == ["7"]
    frame = pd.read_parquet(folder)
    assert frame.loc[0, "title"] == "Lease"
    assert frame.loc[0, "run"] == "r1"
    query = f"select title, typeof(signed), _uri, run from read_parquet('{folder}/**/*.parquet')"
    assert duckdb.connect().execute(query).fetchall() == [("Lease", "DATE", "in/ä.pdf", "r1")]
    part = pq.ParquetFile(folder / "run=r1" / "part-00000.parquet")
    assert part.schema_arrow.metadata[b"job"] == b"nightly"
    assert part.schema_arrow.metadata[b"run_id"] == b"r1"
    assert part.schema_arrow.metadata[b"task"] == b"contract"
    assert json.loads(part.schema_arrow.metadata[b"json_schema"]) == SCHEMA
    column = part.metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.statistics.max == "Lease"


def test_empty_tables_keep_their_schema(tmp_path: Path) -> None:
    with open_output(tmp_path, "r1", tables()) as output:
        output.close()
        output.commit({})
    empty = pq.read_table(tmp_path / "records/contract/run=r1/part-00000.parquet")
    assert empty.num_rows == 0
    assert empty.schema.field("signed").type == pa.date32()


def test_what_is_not_committed_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), open_output(tmp_path, "r1", tables()) as output:
        fill(output)
        raise RuntimeError
    assert committed(tmp_path) == set()


@pytest.mark.parametrize("n_renames", range(5))
def test_a_commit_cut_off_after_any_rename_is_finished_by_the_next_start(
    tmp_path: Path, n_renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    renames = 0
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        nonlocal renames
        if self.parent.parent.name == committing.STAGING or self.parent.name == "records":
            if renames == n_renames:
                raise KeyboardInterrupt
            renames += 1
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        if n_renames < 4:
            with pytest.raises(KeyboardInterrupt), open_output(tmp_path, "r1", tables()) as output:
                fill(output)
                output.commit({"run_id": "r1"})
            assert not (tmp_path / "runs" / "r1.json").exists()
        else:
            with open_output(tmp_path, "r1", tables()) as output:
                fill(output)
                output.commit({"run_id": "r1"})
    with open_output(tmp_path, "r2", tables()) as output:
        assert len(output.recovered) == (n_renames < 4)
    assert committed(tmp_path) == WHOLE


def test_a_run_killed_before_its_commit_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_tables_output import open_output, tables, fill\n"
        "with open_output(Path(sys.argv[1]), 'r1', tables()) as output:\n    fill(output); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)], check=False)
    assert done.returncode == -9
    assert (tmp_path / committing.STAGING / "r1").exists()
    with open_output(tmp_path, "r2", tables()) as output:
        assert output.recovered == ["Removed what run r1 left: it ended before its commit."]
    assert committed(tmp_path) == set()


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    with (
        open_output(tmp_path, "r1", tables()),
        pytest.raises(TryAgainError, match="Another run holds"),
        open_output(tmp_path, "r2", tables()),
    ):
        pass
    with open_output(tmp_path, "r2", tables()):
        pass


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"), open_output(tmp_path / "file", "r1", tables()):
        pass


def test_a_full_disk_is_an_output_error_that_names_the_file(tmp_path: Path) -> None:
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_tables_output import open_output, tables, reject_line, REJECT, OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try:\n"
        "  with open_output(Path(sys.argv[1]), 'r1', tables()) as output:\n"
        "    for n in range(100_000): output.rejects.append({**reject_line(REJECT), 'detail': str(hash(str(n)))})\n"
        "except OutputError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "rejects/part-00000.parquet" in done.stdout
    assert "nothing is lost" in done.stdout


def test_a_carried_column_never_stands_in_for_lineage() -> None:
    assert [field.name for field in carried(["customer", "run"])] == ["_customer", "_run"]
    for names in (["uri"], ["a", "a"]):
        with pytest.raises(JobError, match="would stand twice"):
            carried(names)
