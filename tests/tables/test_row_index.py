"""Rows by key: every key, the last of each, two threads, damaged and vanished files."""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputError
from pipeline.tables import row_index
from pipeline.tables.parquet import FORM
from pipeline.tables.row_index import RowIndex

SCHEMA = pa.schema([("key", pa.string()), ("text", pa.string()), ("tags", pa.list_(pa.string()))])


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def write(path: Path, keys: list[str | None], group_lines: int = 3) -> Path:
    rows = [{"key": key, "text": f"{path.name} {row}", "tags": [path.stem] * row} for row, key in enumerate(keys)]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=group_lines, **FORM)
    return path


# Keys that differ in the first half, in the second half, or only after the 32 digits that count.
KEYS = st.builds(
    lambda high, low, rest: f"{high:016x}{low:016x}{rest}",
    st.sampled_from([0, 1, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF]),
    st.sampled_from([0, 1, 2, 0xFFFFFFFFFFFFFFFF]),
    st.sampled_from(["", "00", "ff" * 16]),
)


@settings(max_examples=100, deadline=None)
@given(files=st.lists(st.lists(KEYS, max_size=8), max_size=4), others=st.lists(KEYS, max_size=5))
def test_it_finds_what_a_dict_would(files: list[list[str]], others: list[str]) -> None:
    with TemporaryDirectory() as folder:
        paths = [write(Path(folder, f"{number}.parquet"), list(keys)) for number, keys in enumerate(files)]
        index = RowIndex(paths, "key")
        expected = {
            key[:32]: (key, f"{number}.parquet {row}")
            for number, keys in enumerate(files)
            for row, key in enumerate(keys)
        }
        assert len(index) == len(expected)
        for key in [*others, *(key for keys in files for key in keys)]:
            line = index.find(key)
            assert (key in index) == (key[:32] in expected)
            assert (None if line is None else (line["key"], line["text"])) == expected.get(key[:32])


def test_only_the_columns_that_are_asked_for_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [key_of(n) for n in range(7)])
    assert RowIndex([path], "key", ["tags"]).find(key_of(2)) == {"tags": ["a", "a"]}
    assert RowIndex([path], "key").find(key_of(4)) == {"key": key_of(4), "text": "a.parquet 4", "tags": ["a"] * 4}


def test_rows_are_right_when_little_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_index, "_CACHE_BYTES", 300)
    paths = [write(tmp_path / f"{part}.parquet", [key_of(n) for n in range(part, part + 10)]) for part in (0, 10, 20)]
    index = RowIndex(paths, "key")
    order = [*range(30), *range(30)]
    random.Random(1).shuffle(order)
    for number in order:
        line = index.find(key_of(number))
        assert line is not None
        assert line["text"] == f"{number // 10 * 10}.parquet {number % 10}"
        assert len(index._held) == 1  # each row group alone is more than may be held


def test_row_groups_are_held_as_long_as_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", [key_of(n) for n in range(300)], group_lines=20)
    index = RowIndex([path], "key", ["key"])
    for _ in range(3):
        assert all(index.find(key_of(n)) for n in range(300))
    sizes = [table.nbytes for table in index._held.values()]
    assert len(sizes) == 15
    monkeypatch.setattr(row_index, "_CACHE_BYTES", 5 * max(sizes))
    index = RowIndex([path], "key", ["key"])
    for _ in range(3):
        assert all(index.find(key_of(n)) for n in range(300))
        assert len(index._held) == 5


def test_two_threads_get_the_right_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_index, "_CACHE_BYTES", 3_000)
    path = write(tmp_path / "a.parquet", [key_of(n) for n in range(300)], group_lines=20)
    index = RowIndex([path], "key", ["text"])

    def read(seed: int) -> list[bool]:
        order = random.Random(seed).choices(range(300), k=500)
        return [index.find(key_of(n)) == {"text": f"a.parquet {n}"} for n in order]

    with ThreadPoolExecutor(2) as pool:
        assert all(all(found) for found in pool.map(read, (1, 2)))


def test_a_file_that_is_gone_is_left_out_and_later_not_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [key_of(1)])
    index = RowIndex([tmp_path / "gone.parquet", path], "key")
    path.unlink()
    assert index.find(key_of(1)) is None
    assert len(RowIndex([path], "key")) == 0
    assert RowIndex([], "key").find(key_of(1)) is None


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all, but long enough to have a footer"])
def test_a_file_that_is_no_parquet_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.parquet").write_bytes(content)
    with pytest.raises(OutputError, match=r"Cannot read .*bad\.parquet"):
        RowIndex([tmp_path / "bad.parquet"], "key")


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").mkdir()
    with pytest.raises(OutputError, match=r"bad\.parquet"):
        RowIndex([tmp_path / "bad.parquet"], "key")


def test_no_flipped_byte_goes_unnoticed(tmp_path: Path) -> None:
    keys = [key_of(n) for n in range(4)]
    path = write(tmp_path / "a.parquet", list(keys))
    whole = path.read_bytes()
    expected = [RowIndex([path], "key").find(key) for key in keys]
    n_noticed = 0
    for place in range(4, len(whole) // 2, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            index = RowIndex([path], "key")
            assert [index.find(key) for key in keys] == expected
        except OutputError as error:
            assert "a.parquet" in str(error)
            n_noticed += 1
    assert n_noticed > 10


@pytest.mark.parametrize("keys", [["ab" * 15], ["g" * 32], [None], ["é" * 32], ["AB" * 16]])
def test_keys_that_are_none_of_ours_are_refused(tmp_path: Path, keys: list[str | None]) -> None:
    path = write(tmp_path / "a.parquet", [key_of(1), *keys])
    with pytest.raises(OutputError, match=r"a\.parquet holds keys that are not"):
        RowIndex([path], "key")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [key_of(1)])
    for column, columns in (("doc_key", None), ("key", ["text", "reading"])):
        with pytest.raises(OutputError, match=r"has no column '(doc_key|reading)'"):
            RowIndex([path], column, columns)


def test_a_question_that_is_no_key_is_an_error(tmp_path: Path) -> None:
    index = RowIndex([write(tmp_path / "a.parquet", [key_of(1)])], "key")
    for key in ("", "ab", "x" * 64):
        with pytest.raises(ValueError, match=r"not a key|invalid literal"):
            index.find(key)


def test_many_keys_take_little_memory(tmp_path: Path) -> None:
    numbers = range(200_000)
    keys = pa.array([f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}{n:016x}" for n in numbers])
    table = pa.table({"key": keys, "n": pa.array(list(numbers))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20_000)
    index = RowIndex([tmp_path / "a.parquet"], "key", ["n"])
    assert len(index) == len(numbers)
    assert all(index.find(keys[n].as_py()) == {"n": n} for n in range(0, len(numbers), 1_001))
    assert sum(held.nbytes for held in (index._high, index._low, index._file, index._row)) == 24 * len(numbers)
