"""The journal: parts that are whole or absent, flushed in time, forgotten when they are settled."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import OutputError
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.tables.journal import Journal, clean, drop, list_parts
from pipeline.tables.layout import JOURNAL_ANSWERS, JOURNAL_DOCUMENTS
from pipeline.tables.lines import PaidAnswer, answer_line, answer_of, document_of, read_document_line

SCHEMA = pa.schema([pa.field("key", pa.string(), nullable=False), ("text", pa.string())])
ANSWER = PaidAnswer("k" * 64, Generation("old", '{"a": "ä"}', FinishReason.LENGTH, 9, 3, 2, 0.25, "why"), "r1")
DOCUMENT = Document(
    "d1",
    "k1",
    "in/ä.pdf",
    "pdf",
    "one two",
    (
        Segment(SegmentKind.PAGE, 0, 4, reader="pypdf", page_number=1, page_label="iv"),
        Segment(SegmentKind.CUE, 4, 7, SegmentStatus.READ, start_ms=5, end_ms=9, speaker="Ann"),
        Segment(SegmentKind.PAGE, 7, 7, SegmentStatus.GARBLED, detail="no letters"),
    ),
    (("title", "T"), ("title", "again"), ("empty", "")),
)


def opened(folder: Path, max_lines: int = 3, max_seconds: float = 30.0, run: str = "whole.r1") -> Journal:
    return Journal(folder, "answers", SCHEMA, run, max_lines, max_seconds)


def add(journal: Journal, *keys: str) -> None:
    for key in keys:
        journal.append({"key": key, "text": key})


def names(folder: Path) -> list[str]:
    return [path.name for path in list_parts(folder / "answers")]


def keys_in(folder: Path) -> list[list[str]]:
    return [pq.read_table(path).column("key").to_pylist() for path in list_parts(folder / "answers")]


def test_lines_are_written_by_count_and_on_demand(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    add(journal, *"abcd")
    assert keys_in(tmp_path) == [["a", "b", "c"]]
    journal.flush()
    journal.flush()
    assert keys_in(tmp_path) == [["a", "b", "c"], ["d"]]
    assert names(tmp_path) == ["whole.r1.000000.parquet", "whole.r1.000001.parquet"]
    assert (journal.n_lines, journal.n_parts) == (4, 2)


def test_a_line_is_not_held_longer_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    journal = opened(tmp_path)
    journal.tick()
    add(journal, "a")
    now_s = 129.9
    add(journal, "b")
    journal.tick()
    assert names(tmp_path) == []
    now_s = 130.0
    journal.tick()
    journal.tick()
    assert keys_in(tmp_path) == [["a", "b"]]
    now_s = 200.0
    add(journal, "c")  # the clock of a new line starts with it
    journal.tick()
    assert journal.n_parts == 1


def test_large_lines_are_not_gathered(tmp_path: Path) -> None:
    journal = opened(tmp_path, max_lines=1_000)
    for _ in range(4):
        journal.append({"key": "k", "text": ""}, size_bytes=8 << 20)
    assert journal.n_parts == 2


def test_a_part_is_never_overwritten(tmp_path: Path) -> None:
    for key in "abc":
        journal = opened(tmp_path)
        add(journal, key)
        journal.flush()
    list_parts(tmp_path / "answers")[0].unlink()
    journal = opened(tmp_path)
    add(journal, *"defg")
    journal.flush()
    assert sorted(keys_in(tmp_path)) == [["b"], ["c"], ["d", "e", "f"], ["g"]]


def test_what_cannot_be_written_is_held_and_can_be_written_later(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    add(journal, "a")
    (tmp_path / "answers").rename(tmp_path / "away")
    with pytest.raises(OutputError, match=r"Cannot write .*whole\.r1\.000000\.parquet"):
        journal.flush()
    (tmp_path / "away").rename(tmp_path / "answers")
    journal.flush()
    assert keys_in(tmp_path) == [["a"]]


def test_a_full_disk_leaves_no_part_and_no_rubbish(tmp_path: Path) -> None:
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_journal import OutputError, add, opened\n"
        "journal = opened(Path(sys.argv[1]), max_lines=10_000); add(journal, 'a'); journal.flush()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))\n"
        "add(journal, *(str(hash(str(n))) for n in range(5_000)))\n"
        "try: journal.flush()\n"
        "except OutputError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "000001.parquet: File too large" in done.stdout, done.stderr
    assert [path.name for path in (tmp_path / "answers").iterdir()] == ["whole.r1.000000.parquet"]


def test_a_kill_at_any_time_leaves_whole_parts_in_order(tmp_path: Path) -> None:
    code = (
        "import os, sys, threading; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_journal import add, opened\n"
        "journal = opened(Path(sys.argv[1]), max_lines=2)\n"
        "add(journal, '0', '1'); n = 2\n"
        "threading.Timer(float(sys.argv[3]), lambda: os.kill(os.getpid(), 9)).start()\n"
        "while True: add(journal, str(n)); n += 1\n"
    )
    for wait_s in (0.02, random.uniform(0.02, 0.2)):
        folder = tmp_path / f"{wait_s}"
        command = [sys.executable, "-c", code, str(folder), str(Path(__file__).parent), str(wait_s)]
        assert subprocess.run(command, check=False).returncode == -9
        found = [key for part in keys_in(folder) for key in part]
        assert found == [str(n) for n in range(len(found))]
        assert len(found) >= 2


def test_a_part_is_not_there_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fsync", killed)
        add(opened(tmp_path), *"abc")
    assert names(tmp_path) == []
    assert clean(tmp_path / "answers", "whole") == 1
    assert list((tmp_path / "answers").iterdir()) == []


def test_half_parts_are_not_read_and_are_cleaned_by_lane(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    for lane in ("whole", "shard-1-of-2", "shard-1-of-20"):
        (folder / f".{lane}.r0.000000.parquet.tmp").write_bytes(b"PAR1 half")
    journal = opened(tmp_path)
    add(journal, *"abc")
    assert names(tmp_path) == ["whole.r1.000000.parquet"]
    assert clean(folder, "shard-1-of-2") == 1
    assert clean(folder) == 2
    assert clean(folder) == 0
    assert [path.name for path in folder.iterdir()] == ["whole.r1.000000.parquet"]
    assert clean(tmp_path / "nothing") == 0
    assert list_parts(tmp_path / "nothing") == []


def test_parts_are_dropped_by_lane(tmp_path: Path) -> None:
    for lane in ("whole", "shard-1-of-2", "shard-1-of-20"):
        add(opened(tmp_path, run=f"{lane}.r1"), *"abc")
    assert drop(tmp_path / "answers", "shard-1-of-2") == 1
    assert names(tmp_path) == ["shard-1-of-20.r1.000000.parquet", "whole.r1.000000.parquet"]
    assert drop(tmp_path / "answers") == 2
    assert drop(tmp_path / "answers") == 0
    assert drop(tmp_path / "nothing") == 0


def test_answers_and_documents_come_back_as_they_were(tmp_path: Path) -> None:
    answers = Journal(tmp_path, "answers", JOURNAL_ANSWERS, "whole.r1", 10, 30.0)
    answers.append(answer_line(ANSWER))
    answers.flush()
    (line,) = pq.read_table(list_parts(tmp_path / "answers")[0]).to_pylist()
    expected = Generation("new", '{"a": "ä"}', FinishReason.LENGTH, 9, 3, 2, 0.25, "why")
    assert answer_of(line, "new") == PaidAnswer("k" * 64, expected, "r1")
    documents = Journal(tmp_path, "documents", JOURNAL_DOCUMENTS, "whole.r1", 10, 30.0)
    documents.append(read_document_line(DOCUMENT, "readers 1"))
    documents.flush()
    (line,) = pq.read_table(list_parts(tmp_path / "documents")[0]).to_pylist()
    assert document_of(line) == DOCUMENT
    assert isinstance(document_of(line).segments[0].kind, SegmentKind)
    assert line["reading"] == "readers 1"
