"""The short form of `make chaos`: every way to kill a run once; and proof that its checks see what they should."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chaos import describe, play_rounds
from checks import check_same_lines, check_same_tables, find_problems
from kills import Kind
from rounds import make_reference
from scenarios import PLAIN, listed_sources

SEED = 3
N_ROUNDS = 3  # as many as it takes to go through all kinds

Change = Callable[[pa.Table], pa.Table]


def test_a_run_killed_in_every_way_gives_the_tables_of_an_undisturbed_one(tmp_path: Path) -> None:
    rounds = play_rounds(tmp_path, 1000, SEED, range(N_ROUNDS), [PLAIN])
    said = describe(rounds)
    assert [problem for played in rounds for problem in played.problems] == [], said
    struck = [struck for played in rounds for struck in played.struck]
    points = {s.name.partition(":")[0] for s in struck} - {*Kind}
    assert {s.name for s in struck} >= {*Kind} - {Kind.POINT}, said
    assert {"commit", "recovery"} <= points, said
    assert sum(s.is_kill for s in struck) >= 12, said


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project folder of an undisturbed run."""
    return make_reference(tmp_path_factory.mktemp("chaos"), PLAIN).project.folder


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """A copy of its output folder, to be damaged."""
    shutil.copytree(whole / "out", tmp_path / "out")
    return tmp_path / "out"


def problems(out: Path, whole: Path) -> list[str]:
    return find_problems(out, listed_sources(whole))


def change(out: Path, name: str, change_table: Change) -> None:
    """Write a table of the one run again, changed."""
    (part,) = (out / name).glob("run=*/*.parquet")
    pq.write_table(change_table(pq.ParquetFile(part).read()), part)


def without_first(table: pa.Table) -> pa.Table:
    return table.slice(1)


def first_twice(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 1), table])


def set_first(column: str, value: object) -> Change:
    def changed(table: pa.Table) -> pa.Table:
        field = table.schema.field(column)
        values = pa.array([value, *table[column].to_pylist()[1:]], field.type)
        return table.set_column(table.schema.get_field_index(column), field, values)

    return changed


def test_an_undisturbed_run_is_as_it_should_be(out: Path, whole: Path) -> None:
    assert problems(out, whole) == []
    assert list(check_same_tables(out, whole / "out")) == []
    assert list(check_same_lines(out, whole / "out")) == []


@pytest.mark.parametrize("name", ["sources", "documents", "responses", "records/items", "rejects"])
@pytest.mark.parametrize("change_table", [without_first, first_twice])
def test_a_line_lost_or_twice_is_seen(out: Path, whole: Path, name: str, change_table: Change) -> None:
    change(out, name, change_table)
    assert problems(out, whole)
    assert any(name in said for said in check_same_tables(out, whole / "out"))
    assert any(name in said for said in check_same_lines(out, whole / "out"))


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("responses", "end", 7),
        ("responses", "start", 1),
        ("responses", "attempt", 5),
        ("responses", "status", "truncated"),
        ("responses", "status", "split"),
        ("responses", "part", "1"),
        ("sources", "outcome", "removed"),
        ("sources", "code", "corrupt"),
        ("documents", "n_chunks", 99),
    ],
)
def test_a_line_that_contradicts_the_others_is_seen(
    out: Path, whole: Path, name: str, column: str, value: object
) -> None:
    change(out, name, set_first(column, value))
    assert problems(out, whole)


def test_another_value_and_another_order_are_seen(out: Path, whole: Path) -> None:
    change(out, "records/items", lambda table: table.take(list(range(len(table)))[::-1]))
    assert any("records/items differs" in said for said in check_same_tables(out, whole / "out"))
    assert list(check_same_lines(out, whole / "out")) == []
    change(out, "records/items", set_first("_shelf", "upstairs"))
    change(out, "records/parties", lambda table: table.replace_schema_metadata({}))
    said = list(check_same_lines(out, whole / "out"))
    assert [words.split(" ")[0] for words in said] == ["records/items", "records/parties"]


def leave_part(out: Path) -> None:
    (out / "journal" / "answers" / "whole.x.000000.parquet").touch()


def leave_staged(out: Path) -> None:
    (out / ".staging" / "whole").mkdir(parents=True)


def leave_partition(out: Path) -> None:
    (out / "records" / "items" / "run=20200101T000000Z-000000").mkdir()


def leave_temporary(out: Path) -> None:
    (out / "runs" / ".x.json.tmp").touch()


def open_a_sum(out: Path) -> None:
    (path,) = (out / "runs").glob("*.json")
    report = json.loads(path.read_text())
    report["sums"][3]["left"] += 1
    path.write_text(json.dumps(report))


def leave_sources(out: Path) -> None:
    (path,) = (out / "runs").glob("*.json")
    path.write_text(path.read_text().replace('"left": 0,\n    "pages"', '"left": 1,\n    "pages"'))


def take_partition(out: Path) -> None:
    shutil.rmtree(next((out / "records" / "items").iterdir()))


def take_report(out: Path) -> None:
    shutil.rmtree(out / "runs")


HARM = [
    leave_part,
    leave_staged,
    leave_partition,
    leave_temporary,
    open_a_sum,
    leave_sources,
    take_partition,
    take_report,
]


@pytest.mark.parametrize("harm", HARM)
def test_what_is_left_behind_is_seen(out: Path, whole: Path, harm: Callable[[Path], None]) -> None:
    harm(out)
    assert problems(out, whole)
