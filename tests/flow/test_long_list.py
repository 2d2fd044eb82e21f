"""Long lists with an engine that cuts answers anywhere and leaves items out: all items come, and each once."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from project import Notes, Project
from reportlab.pdfgen.canvas import Canvas

from pipeline.flow.local import run_job
from pipeline.flow.options import EVERYTHING
from pipeline.flow.plan import build_plan
from pipeline.flow.stop import Stop
from pipeline.job import load_job
from pipeline.tables.current import list_runs, load_current

N_PAGES, N_PER_PAGE = 60, 5
ITEMS = [(f"Item {number}", number * 7 % 1000) for number in range(1, N_PAGES * N_PER_PAGE + 1)]
LOSSY = ("engine.synthetic.truncated_ratio=0.3", "engine.synthetic.list_short_ratio=0.2")
JOB = r"""
name = "list"
[input]
paths = ["in"]
n_workers = 1
[[tasks]]
name = "items"
instructions = "List every item with its price."
schema = "items.json"
[engine]
kind = "synthetic"
[engine.synthetic]
find = '(?P<name>Item \d+): (?P<price>\d+)'
[generation]
max_tokens = 256
[retries]
max_attempts = 4
max_splits = 8
[chunking]
max_tokens = 2200
[output]
folder = "out"
"""


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Sixty pages of five items each."""
    path = tmp_path_factory.mktemp("list") / "list.pdf"
    canvas = Canvas(str(path), invariant=True)
    for page in range(N_PAGES):
        canvas.drawString(72, 760, f"Price list, sheet {page + 1}")
        for line, (name, price) in enumerate(ITEMS[page * N_PER_PAGE : (page + 1) * N_PER_PAGE]):
            canvas.drawString(72, 720 - 20 * line, f"{name}: {price} euro")
        canvas.showPage()
    canvas.save()
    return path.read_bytes()


@pytest.fixture
def project(tmp_path: Path, pdf: bytes) -> Project:
    project = Project(tmp_path)
    (tmp_path / "job.toml").write_text(JOB)
    (tmp_path / "in" / "list.pdf").write_bytes(pdf)
    return project


def write_schema(project: Project, **list_keywords: Any) -> None:
    item = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "price": {"type": "integer", "minimum": 0, "maximum": 9999},
        },
        "required": ["name", "price"],
        "additionalProperties": False,
    }
    items = {"type": "array", "items": item, "x-key": ["name"], **list_keywords}
    schema = {"type": "object", "properties": {"items": items}, "required": ["items"]}
    (project.folder / "items.json").write_text(json.dumps(schema))


def listed(project: Project) -> list[tuple[str, int]]:
    (row,) = project.rows("records/items")
    return [(item["name"], item["price"]) for item in row["items"]]


def states(project: Project) -> Counter[str]:
    return Counter(line["status"] for line in project.rows("responses"))


def test_all_300_items_come_out_once_and_in_order(project: Project) -> None:
    """Answers are cut at random, at max_tokens too, and every fifth leaves items out, which its own count gives away.

    What is drawn hangs on the prompts: other words in them give another run. Twenty-two such runs were all complete.
    """
    write_schema(project, maxItems=400, **{"x-count-first": True})
    report = project.run(*LOSSY)
    assert listed(project) == ITEMS
    assert project.rows("rejects") == []
    found = states(project)
    assert found["split"] >= 2  # 30 pages in 2,048 tokens cannot be: both chunks
    assert report["answers"]["split"] == found["split"]
    assert project.run(*LOSSY)["counts"]["attempts"] == 0
    assert listed(project) == ITEMS


def test_without_a_count_nobody_sees_what_is_missing(project: Project) -> None:
    """Cut answers are seen all the same; items that were left out are not: hence x-count-first."""
    write_schema(project, maxItems=400)
    project.run(*LOSSY)
    some = listed(project)
    assert len(some) < len(ITEMS)
    assert [item for item in ITEMS if item in set(some)] == some
    assert project.rows("rejects") == []


def test_a_list_that_fills_its_share_is_not_taken_for_all(project: Project) -> None:
    """No maxItems and nothing goes wrong: the bound is ours, and an answer that reaches it is asked for again."""
    write_schema(project)
    project.run()
    assert listed(project) == ITEMS
    assert project.rows("rejects") == []
    assert states(project)["split"] >= 2


def test_a_run_that_is_stopped_in_between_comes_to_the_same(project: Project) -> None:
    write_schema(project, maxItems=400, **{"x-count-first": True})
    project.run(*LOSSY, "journal.max_answers=1", stop_after=5)
    project.run(*LOSSY)
    assert listed(project) == ITEMS
    assert states(project)["split"] >= 2


PRICES = r"(?P<name>[A-Z][a-z]+( [a-z]+)+)\s+(?P<pack>\d+ \w+)\s+EUR (?P<price>\d+\.\d\d)"


def test_the_job_for_price_lists_finds_all_prices_of_the_sample_contract(tmp_path: Path) -> None:
    """Ten products on one page, where max_tokens has room for eight."""
    overrides = ("engine.kind=synthetic", f"engine.synthetic.find={PRICES}", f"output.folder={tmp_path / 'out'}")
    stop = Stop()
    plan = build_plan(load_job(Path(__file__).parents[2] / "jobs" / "products.toml", overrides=overrides))
    report, _ = run_job(plan, EVERYTHING, Notes(stop), stop)
    view = load_current(tmp_path / "out", list_runs(tmp_path / "out"))["records/products"]
    (row,) = view.iter_rows(lambda name: name == "products")
    assert len(row["products"]) == 10
    assert row["products"][0] == {"name": "Whole milk", "pack": "2 litres", "price": Decimal("1.72")}
    done = report["answers"]
    assert isinstance(done, dict)
    assert done["tried_again"] == 1
