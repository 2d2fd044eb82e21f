"""The current rows of an output folder: the documented SQL and `load_current` agree, whatever the runs did."""

import json
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputError, RejectCode
from pipeline.tables.current import doc_ids_with_rejects, list_runs, load_current, load_run
from pipeline.tables.layout import REJECTS, SOURCES
from pipeline.tables.state import load_state

SQL = (
    "select r.* from read_parquet('OUT/records/TASK/**/*.parquet') r join (select doc_id, max(run_id) run_id "
    "from read_parquet('OUT/sources/**/*.parquet') where occurrence = 0 group by doc_id) s "
    "on r._doc_id = s.doc_id and r._run_id = s.run_id"
)
OUTCOMES = {"row": "document", "reject": "rejected", "removed": "removed"}
# The user's own column may have any name; `code` and `occurrence` mean something in other tables.
RECORDS = pa.schema([("title", pa.string()), ("code", pa.string()), ("_doc_id", pa.string()), ("_run_id", pa.string())])


def write(path: Path, schema: pa.Schema, lines: list[dict[str, object]]) -> None:
    """Lines as a file of the table; what a line does not say is 0 or empty."""
    blank = {field.name: 0 if pa.types.is_integer(field.type) else "" for field in schema}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([{**blank, **line} for line in lines], schema=schema), path)


def add_run(
    out: Path, run: str, settled: dict[tuple[str, int], str], *, commit: bool = True, codes: tuple[str, ...] = ()
) -> None:
    """A run that settled these sources: "row", "reject" or "removed", by (doc_id, occurrence)."""
    ids = {"run_id": run}
    sources: list[dict[str, object]] = [
        {"doc_id": doc_id, "occurrence": occurrence, "outcome": OUTCOMES[what], **ids}
        for (doc_id, occurrence), what in settled.items()
    ]
    records: list[dict[str, object]] = [
        {"title": f"{doc_id} in {run}", "code": "source_duplicate", "_doc_id": doc_id, "_run_id": run}
        for (doc_id, occurrence), what in settled.items()
        if what == "row" and occurrence == 0
    ]
    rejects: list[dict[str, object]] = [
        {"doc_id": doc_id, "code": code, "detail": f"{doc_id} in {run}", **ids}
        for (doc_id, occurrence), what in settled.items()
        if what == "reject"
        for code in (["source_duplicate"] if occurrence else codes or ["truncated"])
    ]
    part = Path(f"run={run}", "part-00000.parquet")
    write(out / "sources" / part, SOURCES, sources)
    write(out / "records" / "contract" / part, RECORDS, records)
    write(out / "rejects" / part, REJECTS, rejects)
    if commit:
        (out / "runs").mkdir(exist_ok=True)
        (out / "runs" / f"{run}.json").write_text(json.dumps({"run_id": run}))


def titles(out: Path) -> list[str]:
    view = load_current(out, list_runs(out))["records/contract"]
    found = [row["title"] for row in view.iter_rows()]
    assert len(found) == view.n_rows
    return found


def rejected(out: Path) -> list[tuple[str, str]]:
    view = load_current(out, list_runs(out))["rejects"]
    found = [(row["code"], row["detail"]) for row in view.iter_rows()]
    assert len(found) == view.n_rows
    return found


def test_a_document_that_changed_supersedes_its_rows_and_a_removed_one_has_none(tmp_path: Path) -> None:
    add_run(tmp_path, "r1", {("a", 0): "row", ("b", 0): "row", ("c", 0): "row", ("d", 0): "reject"})
    add_run(tmp_path, "r2", {("a", 0): "row", ("b", 0): "removed", ("d", 0): "row"})
    add_run(tmp_path, "r3", {("c", 0): "reject"})
    assert titles(tmp_path) == ["a in r2", "d in r2"]
    assert rejected(tmp_path) == [("truncated", "c in r3")]
    view = load_current(tmp_path, ["r1", "r2", "r3"])["records/contract"]
    assert (view.n_rows, view.n_runs) == (2, 1)
    assert view.size_bytes == sum(f.stat().st_size for f in (tmp_path / "records").rglob("*.parquet"))
    assert [row["title"] for row in load_run(tmp_path, "r1")["records/contract"].iter_rows()] == [
        "a in r1",
        "b in r1",
        "c in r1",
    ]


def test_a_run_that_is_not_committed_is_not_looked_at(tmp_path: Path) -> None:
    add_run(tmp_path, "r1", {("a", 0): "row"})
    add_run(tmp_path, "r2", {("a", 0): "row", ("b", 0): "row"}, commit=False)
    (tmp_path / "runs" / ".r2.json.tmp").write_text("{")
    assert list_runs(tmp_path) == ["r1"]
    assert titles(tmp_path) == ["a in r1"]


def test_a_duplicate_that_comes_later_leaves_the_document_where_it_was(tmp_path: Path) -> None:
    add_run(tmp_path, "r1", {("a", 0): "row"})
    add_run(tmp_path, "r2", {("a", 1): "reject"})
    assert titles(tmp_path) == ["a in r1"]
    add_run(tmp_path, "r3", {("a", 0): "row"})
    assert titles(tmp_path) == ["a in r3"]
    assert rejected(tmp_path) == [("source_duplicate", "a in r2")]
    add_run(tmp_path, "r4", {("a", 1): "removed"})
    assert titles(tmp_path) == ["a in r3"]
    assert rejected(tmp_path) == []
    assert load_current(tmp_path, list_runs(tmp_path))["sources"].n_rows == 2


HISTORIES = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from([0, 0, 0, 1])),
        st.sampled_from(["row", "reject", "removed"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_the_documented_query_says_the_same(history: list[dict[tuple[str, int], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        last: dict[str, str] = {}
        for number, settled in enumerate(history):
            add_run(out, f"r{number}", settled)
            last |= {d: f"{d} in r{number}" if what == "row" else "" for (d, n), what in settled.items() if n == 0}
        query = SQL.replace("OUT", str(out)).replace("TASK", "contract")
        by_query = sorted(title for title, *_ in duckdb.connect().execute(query).fetchall())
        assert by_query == sorted(titles(out)) == sorted(filter(None, last.values()))


def test_columns_are_read_only_when_wanted(tmp_path: Path) -> None:
    add_run(tmp_path, "r1", {("a", 0): "row"})
    view = load_current(tmp_path, ["r1"])["records/contract"]
    assert list(view.iter_rows(lambda name: name == "title")) == [{"title": "a in r1"}]


def test_retrying_takes_documents_whose_loss_still_counts(tmp_path: Path) -> None:
    add_run(tmp_path, "r1", {("a", 0): "reject", ("b", 0): "reject"}, codes=("truncated", "no_answer"))
    add_run(tmp_path, "r2", {("a", 0): "row", ("c", 0): "reject", ("d", 0): "row", ("d", 1): "reject"})
    state = load_state(tmp_path)
    assert doc_ids_with_rejects(state, ()) == {"b", "c"}
    assert doc_ids_with_rejects(state, [RejectCode.NO_ANSWER]) == {"b"}
    assert doc_ids_with_rejects(state, [RejectCode.TRUNCATED, RejectCode.ENGINE_FAILED]) == {"b", "c"}
    assert doc_ids_with_rejects(state, [RejectCode.ENGINE_FAILED]) == frozenset()
    assert doc_ids_with_rejects(load_state(tmp_path, lambda doc_id: doc_id == "c"), ()) == {"c"}


def test_nothing_committed_is_nothing(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    assert load_current(tmp_path, []) == {}
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "r1.json").write_text("{}")  # a run that found nothing new has no tables
    assert load_current(tmp_path, list_runs(tmp_path)) == {}
    assert load_run(tmp_path, "r1") == {}


@pytest.mark.parametrize("table", ["sources", "records/contract"])
@pytest.mark.parametrize("damage", [b"", b"PAR1 and then nothing"])
def test_a_damaged_file_is_named(tmp_path: Path, table: str, damage: bytes) -> None:
    add_run(tmp_path, "r1", {("a", 0): "row"})
    path = tmp_path / table / "run=r1" / "part-00000.parquet"
    path.write_bytes(damage)
    with pytest.raises(OutputError, match="part-00000.parquet"):
        load_current(tmp_path, ["r1"])
