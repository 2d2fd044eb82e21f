"""Staged tables: in source order whatever order documents finish in, the same bytes for the same lines."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputError
from pipeline.tables import staged
from pipeline.tables.staged import StagedTable

WORD = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("name", WORD, metadata={"description": "of the thing"}),
        ("tags", pa.list_(pa.field("item", WORD))),
        ("part", pa.struct([("kind", WORD), ("n", pa.int64())])),
        ("notes", pa.map_(pa.string(), WORD)),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)


def line(n: int, text: str = "") -> dict[str, object]:
    word = f"w{n % 7}"
    return {
        "name": word if n % 5 else None,
        "tags": [word, None, f"w{n % 3}"][: n % 4],
        "part": {"kind": word, "n": n} if n % 3 else None,
        "notes": [(word, f"w{n % 2}")],
        "text": f"{n} {text}",
    }


def write(path: Path, lines: list[tuple[int, int, str]]) -> bytes:
    """Lines (ordinal, number, text) in this order; the bytes of the file."""
    table = StagedTable(path, SCHEMA, {"job": "nightly"}, constants={"run_id": "r1"})
    for ordinal, number, text in lines:
        table.append(line(number, text), ordinal, size_bytes=len(text))
    table.close()
    table.close()
    assert table.count_written() == len(lines)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return path.read_bytes()


def shuffled(documents: list[tuple[int, list[int]]], order: list[int]) -> list[tuple[int, int, str]]:
    return [(ordinal, number, "") for place in order for ordinal, numbers in [documents[place]] for number in numbers]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[int, list[int]]], list[int]]:
    """Documents, each with its lines' numbers, and the order in which they finish."""
    sizes = draw(st.lists(st.integers(0, 4), max_size=20))
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    documents = [
        (3 * place, list(range(start, start + size)))
        for place, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    return documents, draw(st.permutations(range(len(sizes))))


@settings(max_examples=60, deadline=None)
@given(case=cases(), group_lines=st.integers(1, 9))
def test_the_order_in_which_documents_finish_does_not_change_a_byte(
    case: tuple[list[tuple[int, list[int]]], list[int]], group_lines: int
) -> None:
    documents, order = case
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(staged, "_GROUP_LINES", group_lines)
        patch.setattr(staged, "_CACHE_BYTES", 200)
        first = write(Path(folder) / "a" / "part.parquet", shuffled(documents, list(range(len(documents)))))
        second = write(Path(folder) / "b" / "part.parquet", shuffled(documents, order))
        assert first == second
        table = pq.read_table(Path(folder) / "b" / "part.parquet")
    numbers = [number for _, numbers in documents for number in numbers]
    assert table.to_pylist() == [{**line(number), "run_id": "r1"} for number in numbers]


def test_the_file_has_the_schema_as_it_was_given(tmp_path: Path) -> None:
    for name, lines in (("none", []), ("some", [(1, 1, ""), (0, 0, "")])):
        write(tmp_path / name / "part.parquet", lines)
        found = pq.read_schema(tmp_path / name / "part.parquet")
        assert found.equals(SCHEMA)
        assert found.field("name").metadata[b"description"] == b"of the thing"
        assert found.metadata[b"job"] == b"nightly"


def test_row_groups_are_bounded_in_lines_and_bytes_by_the_lines_alone(tmp_path: Path) -> None:
    lines = [(n, n, "x" * (4 << 20) if n in {10, 11, 12, 13, 14} else "") for n in range(4_030)]
    straight = write(tmp_path / "a" / "part.parquet", lines)
    assert straight == write(tmp_path / "b" / "part.parquet", lines[::-1])
    metadata = pq.read_metadata(tmp_path / "a" / "part.parquet")
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert sizes == [14, 2_000, 2_000, 16]


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    table = StagedTable(tmp_path / "part.parquet", SCHEMA, {}, constants={"run_id": "r1"})
    table.append(line(1), 0)
    assert [file.name for file in tmp_path.iterdir()] == ["part.parquet.spool"]
    table.close()
    assert [file.name for file in tmp_path.iterdir()] == ["part.parquet"]


def test_lines_in_the_worst_order_are_sorted_in_seconds(tmp_path: Path) -> None:
    start_s = time.monotonic()
    write(tmp_path / "part.parquet", [(n * 7_919 % 20_000, n, "") for n in range(20_000)])
    assert time.monotonic() - start_s < 20
    texts = pq.read_table(tmp_path / "part.parquet", columns=["text"]).column("text").to_pylist()
    assert [int(text) * 7_919 % 20_000 for text in texts] == list(range(20_000))


def test_a_line_that_lacks_what_it_must_have_is_an_error(tmp_path: Path) -> None:
    table = StagedTable(tmp_path / "part.parquet", SCHEMA, {}, constants={"run_id": "r1"})
    table.append({**line(1), "text": None}, 0)
    with pytest.raises(pa.ArrowInvalid, match="text"):
        table.close()


@pytest.mark.parametrize("limit", [3_000, 60_000])
def test_a_full_disk_is_an_output_error_in_the_spool_and_at_the_end(tmp_path: Path, limit: int) -> None:
    code = (
        "import hashlib, resource, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_staged import OutputError, SCHEMA, StagedTable, line\n"
        "table = StagedTable(Path(sys.argv[1]) / 'part.parquet', SCHEMA, {}, constants={'run_id': 'r1'})\n"
        "for n in range(1_500): table.append(line(n, hashlib.sha256(str(n).encode()).hexdigest()), n)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))\n"
        "try: table.close()\n"
        "except OutputError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent), str(limit)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"Cannot write {tmp_path}/part.parquet: "), done.stderr
    with pytest.raises(OSError, match=r"part\.parquet|[Pp]arquet"):
        pq.read_metadata(tmp_path / "part.parquet")


def test_a_table_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        StagedTable(tmp_path / "file" / "part.parquet", SCHEMA, {})
