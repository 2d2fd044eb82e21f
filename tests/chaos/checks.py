"""What must hold of an output folder, at any time and after a complete run, however many were killed before it.

Each check takes the folder, or its current lines by table, and yields a sentence for each thing that is wrong; none
when all is well. Only committed runs count, as for any reader.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RejectCode
from pipeline.tables.current import list_runs, load_current, load_run

Row = dict[str, Any]
Question = tuple[str, int, str, str]

MAY_DIFFER = frozenset({"run_id", "_run_id", "answered_run_id", "duration_s", "n_cached_tokens"})
"""Columns that tell of the run rather than of the documents."""
_WHOLE = ("record", "split")
"""How a question ends of which nothing is lost."""
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_LOG_PATH = re.compile(r"\S*/logs/engine-\S*\.log")


def find_problems(out: Path, listed: list[tuple[str, int]]) -> list[str]:
    """What is wrong with a folder after a run that exited with 0, and with nobody writing.

    Args:
        out: The output folder.
        listed: The job's sources as (doc_id, occurrence).
    """
    found = [*find_contradictions(out), *check_swept(out), *check_nothing_left(out), *check_sources(out, listed)]
    return sorted(set(found))


def find_contradictions(out: Path) -> list[str]:
    """What is wrong with what a folder shows to readers, at any time."""
    now = _load_lines(out)
    found = [
        *check_sums(out),
        *check_counts(out),
        *check_attempts(out),
        *check_documents(now),
        *check_answers(now),
        *check_chunks(now),
        *check_rows(now),
    ]
    return sorted(set(found))


def check_sums(out: Path) -> Iterator[str]:
    """The sums of every committed run close."""
    for run in list_runs(out):
        for item in _load_report(out, run)["sums"]:
            if item["left"] != item["right"] or not item["closes"]:
                yield f"run {run}: {item['name']}: {item['left']} is not {item['right']}"


def check_counts(out: Path) -> Iterator[str]:
    """The lines of every committed run are there, as many as its report counts."""
    for run in list_runs(out):
        n = _load_report(out, run)["counts"]
        lines = {name: view.n_rows for name, view in load_run(out, run).items()}
        n_settled = n["documents"] + n["rejected_sources"] + n["removed"]
        expected = {"sources": n_settled, "documents": n["documents"]}
        expected |= {f"records/{task}": n_rows for task, n_rows in n["rows"].items()}
        for name, n_lines in expected.items():
            if lines.get(name, 0) != n_lines:
                yield f"run {run}: {name} has {lines.get(name, 0)} lines, its report counts {n_lines}"


def check_nothing_left(out: Path) -> Iterator[str]:
    """There is a run, and the last one left no source."""
    runs = list_runs(out)
    n_left = _load_report(out, runs[-1])["counts"]["left"] if runs else 0
    if n_left or not runs:
        yield f"the last of {len(runs)} runs left {n_left} sources"


def check_swept(out: Path) -> Iterator[str]:
    """Nothing is staged, half written or in the journal; every partition belongs to a committed run."""
    runs = set(list_runs(out))
    for path in sorted(out.rglob("*")):
        place = path.relative_to(out)
        if place.parts[0] == ".locks":
            continue
        if place.parent.parts[:1] == (".staging",) or path.name.endswith((".tmp", ".spool")):
            yield f"{place} was left behind"
        if place.parts[0] == "journal" and path.is_file():
            yield f"{place} is still in the journal"
        if path.name.startswith("run=") and path.name.removeprefix("run=") not in runs:
            yield f"{place} belongs to no committed run"


def check_sources(out: Path, listed: list[tuple[str, int]]) -> Iterator[str]:
    """Each listed source has one current line."""
    lines = _load_lines(out).get("sources", [])
    found = Counter((row["doc_id"], row["occurrence"]) for row in lines if row["outcome"] != "removed")
    yield from _compare("source", found, Counter(listed))


def check_documents(now: dict[str, list[Row]]) -> Iterator[str]:
    """A source is a document or a reject, and says so once."""
    sources = now.get("sources", [])
    coded = [s["doc_id"] for s in sources if (s["outcome"] == "rejected") != (s["code"] is not None)]
    yield from (f"source {doc_id} is rejected without a code, or has one and is not" for doc_id in coded)
    documents = Counter(row["doc_id"] for row in now.get("documents", []))
    yield from _compare("document", documents, Counter(s["doc_id"] for s in sources if s["outcome"] == "document"))
    lost = Counter((row["doc_id"], row["code"]) for row in now.get("rejects", []) if row["stage"] in ("source", "read"))
    yield from _compare(
        "rejected source", lost, Counter((s["doc_id"], s["code"]) for s in sources if s["outcome"] == "rejected")
    )


def check_attempts(out: Path) -> Iterator[str]:
    """No attempt at a question stands twice in a run."""
    for run in list_runs(out):
        columns = ["doc_id", "chunk_index", "part", "task", "attempt"]
        for part in (out / "responses" / f"run={run}").glob("*.parquet"):
            attempts = Counter(tuple(row.values()) for row in pq.ParquetFile(part).read(columns).to_pylist())
            yield from (f"run {run}: attempt {key} stands {n} times" for key, n in attempts.items() if n > 1)


def check_answers(now: dict[str, list[Row]]) -> Iterator[str]:
    """Attempts count from 0 without a gap; the last is a record, a reject or split in two, those before are neither."""
    lost = Counter(_question(row) for row in now.get("rejects", []) if row["chunk_index"] is not None)
    tried: dict[Question, list[Row]] = defaultdict(list)
    for row in now.get("responses", []):
        tried[_question(row)].append(row)
    for question, attempts in tried.items():
        attempts.sort(key=lambda row: int(row["attempt"]))
        if [row["attempt"] for row in attempts] != list(range(len(attempts))):
            yield f"attempts at {question} are {[row['attempt'] for row in attempts]}"
        if any(row["status"] in _WHOLE for row in attempts[:-1]):
            yield f"{question} was asked again after a record or a split"
        if (attempts[-1]["status"] in _WHOLE) == bool(lost[question]) or lost[question] > 1:
            yield f"{question} ended as {attempts[-1]['status']} and has {lost[question]} rejects"
        *place, part = question
        if part and (*place, part[:-1]) not in tried:
            yield f"{question} is half of what was never asked"
        halves = sum((*place, part + half) in tried for half in "01")
        if halves != (2 if attempts[-1]["status"] == "split" else 0):
            yield f"{question} ended as {attempts[-1]['status']} and has {halves} halves"
    yield from (f"{question} is rejected and was never asked" for question in lost if question not in tried)


def check_chunks(now: dict[str, list[Row]]) -> Iterator[str]:
    """For each task, the chunks of a document are its text, end to end; of a split one, its halves."""
    tasks = {name.removeprefix("records/") for name in now if name.startswith("records/")}
    spans: dict[tuple[str, str], dict[tuple[int, str], tuple[int, int]]] = defaultdict(dict)
    split = {_question(row) for row in now.get("responses", []) if row["status"] == "split"}
    for row in now.get("responses", []):
        if _question(row) not in split:
            spans[row["doc_id"], row["task"]][row["chunk_index"], row["part"]] = (row["start"], row["end"])
    for document in now.get("documents", []):
        for task in tasks:
            found = spans.pop((document["doc_id"], task), {})
            cut, n_chunks = [span for _, span in sorted(found.items())], len({index for index, _ in found})
            borders = [(0, 0), *cut, (document["n_chars"], document["n_chars"])]
            if n_chunks != document["n_chunks"] or any(a[1] != b[0] for a, b in pairwise(borders)):
                yield f"chunks of {document['doc_id']} for {task} are {cut} of {document['n_chars']} characters"
    yield from (f"answers to {key} belong to no document" for key in spans)


def check_rows(now: dict[str, list[Row]]) -> Iterator[str]:
    """A document has one row a task, or a reject that says why not."""
    documents = [row["doc_id"] for row in now.get("documents", [])]
    for name, rows in now.items():
        task = name.removeprefix("records/")
        if task != name:
            without = [r["doc_id"] for r in now["rejects"] if (r["code"], r["task"]) == (RejectCode.NO_ANSWER, task)]
            found = Counter([*(row["_doc_id"] for row in rows), *without])
            yield from _compare(f"row of {task}", found, Counter(documents))


def check_same_tables(out: Path, reference: Path) -> Iterator[str]:
    """The tables of a folder whose rows one run committed, however many died before: as those of the reference."""
    both = [_committed_files(folder) for folder in (out, reference)]
    if both[0].keys() != both[1].keys():
        yield f"tables are {sorted(both[0])} instead of {sorted(both[1])}"
        return
    for name, files in both[0].items():
        if len(files) != 1:
            yield f"{name} has {len(files)} files, one expected"
            continue
        found, expected = (pq.ParquetFile(paths[name][0]).read() for paths in both)
        if not found.schema.equals(expected.schema) or _facts(found.schema) != _facts(expected.schema):
            yield f"{name} has another schema: {found.schema}"
        yield from _first_difference(name, *(list(map(_plain, table.to_pylist())) for table in (found, expected)))


def check_same_lines(out: Path, reference: Path) -> Iterator[str]:
    """The current lines of a folder, whichever runs wrote them: as those of the reference, in any order."""
    both = [load_current(folder, list_runs(folder)) for folder in (out, reference)]
    if both[0].keys() != both[1].keys():
        yield f"tables are {sorted(both[0])} instead of {sorted(both[1])}"
        return
    for name in both[0]:
        lines = [sorted(map(_plain, views[name].iter_rows()), key=str) for views in both]
        yield from _first_difference(name, *lines)
    schemas = [{name: _schemas(folder, name) for name in both[0]} for folder in (out, reference)]
    yield from (
        f"{name} has several schemas or another one" for name in both[0] if schemas[0][name] != schemas[1][name]
    )


def _load_report(out: Path, run: str) -> Row:
    report: Row = json.loads((out / "runs" / f"{run}.json").read_text())
    return report


def _load_lines(out: Path) -> dict[str, list[Row]]:
    """The current lines of each table."""
    return {name: list(view.iter_rows()) for name, view in load_current(out, list_runs(out)).items()}


def _committed_files(out: Path) -> dict[str, list[Path]]:
    """The files of each table."""
    files: dict[str, list[Path]] = defaultdict(list)
    for run in list_runs(out):
        for pattern in (f"*/run={run}/*.parquet", f"records/*/run={run}/*.parquet"):
            for path in sorted(out.glob(pattern)):
                files[path.parent.parent.relative_to(out).as_posix()].append(path)
    return files


def _schemas(out: Path, name: str) -> list[str]:
    """The different schemas of a table, in words."""
    schemas = [pq.read_schema(path) for path in _committed_files(out)[name]]
    return sorted({f"{schema.remove_metadata()} {_facts(schema)}" for schema in schemas})


def _facts(schema: pa.Schema) -> dict[bytes, bytes]:
    """What a file says of itself, but for the run."""
    return {key: value for key, value in (schema.metadata or {}).items() if key != b"run_id"}


def _plain(row: Row) -> Row:
    """A row without what may differ. The engine's last words name its log file, and that names the run."""
    kept = {name: value for name, value in row.items() if name not in MAY_DIFFER}
    for name in ("detail", "error"):
        if isinstance(kept.get(name), str):
            kept[name] = _RUN_ID.sub("RUN", _LOG_PATH.sub("LOG", kept[name]))
    return kept


def _first_difference(name: str, found: list[Row], expected: list[Row]) -> Iterator[str]:
    if len(found) != len(expected):
        yield f"{name} has {len(found)} rows instead of {len(expected)}"
    for number, (a, b) in enumerate(zip(found, expected, strict=False)):
        if a != b:
            columns = [column for column in b if a.get(column) != b[column]]
            yield f"{name} differs from row {number} on, in {columns}: {a} instead of {b}"
            return


def _compare(what: str, found: Counter[Any], expected: Counter[Any]) -> Iterator[str]:
    yield from (f"{what} {key} stands {found[key]} times instead of {expected[key]}" for key in found - expected)
    yield from (f"{what} {key} is lacking" for key in expected - found)


def _question(row: Row) -> Question:
    return row["doc_id"], row["chunk_index"], row["task"], row["part"]
