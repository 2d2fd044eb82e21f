"""Gold files: three formats that say the same, and every way to get one wrong."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluating import Judged

from pipeline.errors import JobError

ROWS: dict[str, Any] = {
    "a.txt": {
        "party": "Acme Inc",
        "signed_on": "2025-01-31",
        "pages": 12,
        "fee": 1.5,
        "is_final": True,
        "kind": "lease",
        "tags": ["x", "y"],
        "address": {"city": "Lyon", "zip": "69001"},
        "prices": {"base": 3.5},
    },
    "b.txt": {"party": None, "pages": 7},
    "c.txt": None,
}


@pytest.fixture
def project(tmp_path: Path) -> Judged:
    judged = Judged(tmp_path / "p")
    judged.write(ROWS)
    return judged


def test_the_three_formats_say_the_same(project: Judged) -> None:
    lines: list[dict[str, Any]] = [
        {"uri": "in/a.txt", "party": "ACME, Inc.", "signed_on": "2025-01-31", "pages": 12, "fee": 1.5, "is_final": True}
        | {"tags": ["y", "z"], "address": {"city": "Paris"}, "prices": {"base": 3.5, "extra": 1}},
        {"uri": "in/b.txt", "party": None, "pages": 8, "is_final": None, "tags": None},
        {"uri": "c.txt", "party": "Roe"},
    ]
    by_json = project.fields(project.gold("".join(json.dumps(line) + "\n\n" for line in lines)))
    text = (
        "uri,party,signed_on,pages,fee,is_final,tags,address.city,prices\r\n"
        'in/a.txt,"ACME, Inc.",2025-01-31,12,1.50,TRUE,"[""y"",""z""]",Paris,"{""base"": 3.5, ""extra"": 1}"\r\n'
        "in/b.txt,null,,8,,null,null,,\r\n"
        "\r\n"
        "c.txt,Roe\r\n"
    )
    by_csv = project.fields(project.gold("\ufeff" + text, "gold.csv"))
    assert by_csv == by_json
    table = pa.Table.from_pylist(
        [
            {**line, "annotated": [name for name in line if name != "uri"]}
            | (
                {"signed_on": date(2025, 1, 31), "fee": Decimal("1.50"), "prices": [("base", 3.5), ("extra", 1.0)]}
                if "prices" in line
                else {}
            )
            for line in lines
        ],
        schema=pa.schema(
            {
                "uri": pa.string(),
                "party": pa.string(),
                "signed_on": pa.date32(),
                "pages": pa.int32(),
                "fee": pa.decimal128(9, 2),
                "is_final": pa.bool_(),
                "tags": pa.list_(pa.string()),
                "address": pa.struct([("city", pa.string())]),
                "prices": pa.map_(pa.string(), pa.float64()),
                "annotated": pa.list_(pa.string()),
            }
        ),
    )
    pq.write_table(table, project.folder / "gold.parquet")
    assert project.fields(project.folder / "gold.parquet") == by_json
    outcomes = {name: {k: n for k, n in field["outcomes"].items() if n} for name, field in by_json.items()}
    assert outcomes == {
        "party": {"correct": 1, "omitted": 1, "absent": 1},
        "signed_on": {"correct": 1},
        "pages": {"correct": 1, "wrong": 1},
        "fee": {"correct": 1},
        "is_final": {"correct": 1, "absent": 1},
        "tags": {"correct": 1, "omitted": 1, "hallucinated": 1, "absent": 1},
        "address.city": {"wrong": 1},
        "prices{}": {"correct": 1, "omitted": 1},
    }


def test_null_in_parquet_is_absent_unless_the_line_says_what_it_annotates(project: Judged) -> None:
    frame = pd.DataFrame({"doc_id": ["id-in/a.txt"], "party": [None], "pages": [12.0]})
    frame.to_parquet(project.folder / "gold.parquet")
    fields = project.fields(project.folder / "gold.parquet")
    assert fields["party"]["outcomes"]["hallucinated"] == 1
    assert fields["pages"]["outcomes"]["correct"] == 1
    frame.assign(annotated=pd.Series([["pages"]])).to_parquet(project.folder / "gold.parquet")
    assert list(project.fields(project.folder / "gold.parquet")) == ["pages"]


def test_a_timestamp_at_midnight_is_a_date(project: Judged) -> None:
    frame = pd.DataFrame({"uri": ["in/a.txt"], "signed_on": [pd.Timestamp("2025-01-31")]})
    frame.to_parquet(project.folder / "gold.parquet")
    assert project.fields(project.folder / "gold.parquet")["signed_on"]["outcomes"]["correct"] == 1


def test_documents_by_any_name(project: Judged) -> None:
    lines = ({"doc_id": "id-in/a.txt"}, {"uri": "in/b.txt"}, {"doc_id": "c.txt"}, {"doc_id": "zz", "uri": "yy"})
    report = project.evaluate(project.gold("".join(json.dumps(line | {"pages": 7}) + "\n" for line in lines)))
    task = report["tasks"]["contract"]
    assert (task["n_documents"], task["n_unmatched"], task["unmatched"]) == (3, 1, ["zz"])
    assert task["fields"]["pages"]["outcomes"] == {
        "correct": 1, "wrong": 1, "omitted": 1, "hallucinated": 0, "absent": 0,
    }  # fmt: skip


def test_a_file_name_of_two_documents_names_none(tmp_path: Path) -> None:
    project = Judged(tmp_path / "p")
    project.write({"x/a.txt": {}, "y/a.txt": {}})
    with pytest.raises(JobError, match=r"line 1: the file name 'a.txt' is that of several documents"):
        project.evaluate(project.gold('{"uri": "a.txt", "pages": 1}\n'))


def test_two_tasks_with_one_field(tmp_path: Path) -> None:
    project = Judged(tmp_path / "p", tasks=("contract", "second"))
    project.write(ROWS)
    with pytest.raises(JobError, match=r"'pages' is in the tasks contract and second: add a column 'task'"):
        project.evaluate(project.gold('{"uri": "a.txt", "pages": 1}\n'))
    by_column = project.evaluate(
        project.gold('{"uri": "a.txt", "task": "second", "pages": 12}\n{"uri":"a.txt","task":"contract","pages":1}')
    )
    assert {name: task["fields"]["pages"]["outcomes"]["correct"] for name, task in by_column["tasks"].items()} == {
        "contract": 0,
        "second": 1,
    }
    assert list(project.evaluate(project.gold('{"uri": "a.txt", "second.pages": 12}\n'))["tasks"]) == ["second"]
    assert list(project.evaluate(project.gold('{"uri": "a.txt", "pages": 12}\n'), task="second")["tasks"]) == ["second"]
    with pytest.raises(JobError, match=r"no such task; did you mean 'second'\?"):
        project.evaluate(project.gold('{"uri": "a.txt", "pages": 12}\n'), task="secnd")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("g.jsonl", "", r"The gold file .* is empty"),
        ("g.jsonl", "\n \n", r"is empty"),
        ("g.csv", "", r"is empty"),
        ("g.csv", "uri,pages\n", r"is empty"),
        ("g.jsonl", '{"uri": "a.txt", "pages": 1}\nno\n', r"g.jsonl, line 2: not JSON: Expecting value"),
        ("g.jsonl", "[1]\n", r"line 1: found list, expected an object"),
        ("g.jsonl", '{"uri": "a.txt"}\n', r"annotates no field"),
        ("g.jsonl", '{"pages": 1}\n', r"line 1: no document is named; expected a column doc_id or uri, found pages"),
        ("g.jsonl", '{"uri": "q.txt", "pages": 1}\n', r"names no document that the output folder has: 'q.txt'"),
        ("g.jsonl", '{"uri": "a.txt", "page": 1}\n', r"line 1: there is no field 'page'; did you mean 'pages'"),
        ("g.jsonl", '{"uri": "a.txt", "qqqq": 1}\n', r"no field 'qqqq'; there are party, signed_on"),
        ("g.jsonl", '{"uri": "a.txt", "task": "contrct", "pages": 1}\n', r"no task 'contrct'; did you mean 'contract'"),
        ("g.jsonl", '{"uri": "a.txt", "pages": 1}\n{"doc_id": "id-in/a.txt", "pages": 1}\n', r"line 2: .*came before"),
        ("g.jsonl", '{"uri": "a.txt", "pages": "abc"}\n', r"line 1: field 'pages': found \"abc\", expected"),
        ("g.jsonl", '{"uri": "a.txt", "pages": 1.5}\n', r"found 1.5, expected a whole number"),
        ("g.jsonl", '{"uri": "a.txt", "pages": true}\n', r"found true, expected a whole number"),
        ("g.jsonl", '{"uri": "a.txt", "party": 3}\n', r"'party': found 3, expected text or null"),
        ("g.jsonl", '{"uri": "a.txt", "signed_on": "31.1.2025"}\n', r"expected a date such as 2025-01-31"),
        ("g.jsonl", '{"uri": "a.txt", "signed_on": "2025-13-01"}\n', r"expected a date such as"),
        ("g.jsonl", '{"uri": "a.txt", "tags": "x"}\n', r"'tags': found \"x\", expected a list in brackets"),
        ("g.jsonl", '{"uri": "a.txt", "tags": [1]}\n', r"'tags\[0\]': found 1, expected text"),
        ("g.jsonl", '{"uri": "a.txt", "address": {"cty": "x"}}\n', r"no property 'cty'; did you mean 'city'"),
        ("g.jsonl", '{"uri": "a.txt", "address": {"city": "x"}, "address.city": "y"}\n', r"annotated twice"),
        ("g.jsonl", '{"uri": "a.txt", "address": null, "address.city": "y"}\n', r"and so is all of 'address'"),
        ("g.jsonl", '{"uri": "a.txt", "lines": [{"amount": 1}]}\n', r"'lines': item 0 has no 'sku'"),
        ("g.jsonl", '{"uri": "a.txt", "pages": 1, "pages": 2}\n', r"'pages' stands twice"),
        ("g.jsonl", '{"uri": "a.txt", "fee": NaN}\n', r"NaN is not JSON"),
        ("g.jsonl", '{"uri": "a.txt", "fee": 1e400}\n', r"beyond the range of a double"),
        ("g.jsonl", '{"uri": "a.txt", "party": "\\ud800"}\n', r"line 1: not JSON: .*surrogate"),
        ("g.jsonl", '{"uri": "a.txt", "anything": ' + "[" * 100_000 + "\n", r"line 1: not JSON"),
        ("g.jsonl", '{"uri": "a.txt", "pages": ' + "9" * 5000 + "}\n", r"beyond the range"),
        ("g.csv", "uri,pages\na.txt,abc\n", r"g.csv, line 2: field 'pages': found \"abc\", expected a whole number"),
        ("g.csv", "uri,fee\na.txt,NaN\n", r"expected a number"),
        ("g.csv", "uri,pages,pages\na.txt,1,2\n", r"line 1: the column 'pages' stands twice"),
        ("g.csv", "uri,pages\na.txt,1,2\n", r"line 2: 3 cells, and the header names 2"),
        ("g.csv", 'uri,pages\n"a.txt,1\n', r"line 2: not CSV"),
        ("g.csv", "uri;pages\na.txt;1\n", r"line 1: the columns are parted by ';'; save it with commas"),
        ("g.csv", "uri\tpages\na.txt\t1\n", r"the columns are parted by '\\t'"),
        ("g.jsonl", '{"uri": "a.txt", "address": "x"}\n', r"found \"x\", expected an object with city, zip or null"),
        ("g.jsonl", '{"uri": "a.txt", "prices": 1}\n', r"found 1, expected an object of keys and values or null"),
        ("g.csv", "uri,tags\na.txt,x\n", r"expected a list in brackets"),
        ("g.txt", "x", r"ends in '.txt'; expected .jsonl, .csv or .parquet"),
        ("g.parquet", "x", r"g.parquet cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(project: Judged, name: str, text: str, said: str) -> None:
    with pytest.raises(JobError, match=said):
        project.evaluate(project.gold(text, name))


@pytest.mark.parametrize("name", ["g.jsonl", "g.csv", "g.parquet"])
def test_bytes_that_are_no_gold(project: Judged, name: str) -> None:
    with pytest.raises(JobError, match=r"not JSON|not UTF-8|cannot be read as Parquet"):
        project.evaluate(project.gold(bytes(range(256)) * 50, name))
    with pytest.raises(JobError, match=r"not UTF-8 \(byte 0|cannot be read as Parquet"):
        project.evaluate(project.gold(b"\xff\xfeu\x00r\x00i\x00", name))
    with pytest.raises(JobError, match="There is no gold file at"):
        project.evaluate(project.folder / f"none{name}")


def test_bytes_in_parquet_are_no_value(project: Judged) -> None:
    path = project.folder / "g.parquet"
    pq.write_table(pa.table({"uri": ["a.txt"], "party": [b"x"]}), path)
    with pytest.raises(JobError, match="type binary"):
        project.evaluate(path)
    pq.write_table(pa.table({"uri": ["a.txt"], "fee": [float("nan")]}), path)
    with pytest.raises(JobError, match="leave the cell null"):
        project.evaluate(path)
    pq.write_table(pa.table({"uri": ["a.txt"], "pages": [1], "annotated": [["page"]]}), path)
    with pytest.raises(JobError, match="names 'page'; did you mean 'pages'"):
        project.evaluate(path)


def test_a_line_of_many_megabytes_is_one_line(project: Judged) -> None:
    long = "x" * 30_000_000
    fields = project.fields(project.gold(json.dumps({"uri": "a.txt", "party": long}) + "\n"))
    assert fields["party"]["outcomes"]["wrong"] == 1
    fields = project.fields(project.gold(f"uri,party\na.txt,{long}\n", "g.csv"))
    assert fields["party"]["outcomes"]["wrong"] == 1
