"""Labelled contracts through run, eval and report with real vLLM; then a worse prompt, which the gate must catch.

Sample contracts, and one of CUAD where the real documents are. The model has 135M parameters: what is tested is that
its accuracy is told as it is.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import contracts
import pandas as pd
import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "examples" / "samples"
JOB = """
name = "labelled"
[input]
manifest = "manifest.csv"
[[tasks]]
name = "terms"
schema = "schemas/terms.json"
instructions = "{instructions}"
[generation]
max_tokens = 900
[chunking]
max_tokens = 520
[output]
folder = "{folder}"
[gates]
min_f1 = {{ title = 0.7 }}
min_valid_ratio = 1.0
"""
GOOD = "What is the title of the agreement above? Which two companies does it name first? On what date was it made?"
WORSE = "Which city and street does the document above name first? Answer with it."
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 60},
        "first_company": {"type": "string", "maxLength": 50},
        "second_company": {"type": "string", "maxLength": 50},
        "date": {"type": "string", "format": "date", "x-evidence": True},
    },
    "required": ["title", "first_company", "second_company", "date"],
    "additionalProperties": False,
}


class Labelled:
    """A project whose documents have labels, and what the commands said about it."""

    def __init__(self, folder: Path, corpus: Path | None) -> None:
        self.folder = folder
        (folder / "jobs").mkdir(parents=True)
        (folder / "schemas").mkdir()
        (folder / "schemas" / "terms.json").write_text(json.dumps(SCHEMA))
        labels = [json.loads(line) for line in (SAMPLES / "gold" / "terms.jsonl").read_text().splitlines()]
        files = {Path(label["uri"]).stem: ROOT / label["uri"] for label in labels}
        gold = {Path(label["uri"]).stem: self.label(label) for label in labels}
        del files["supply-agreement"], gold["supply-agreement"]  # eleven pages
        if corpus is not None:
            line = contracts.load_labels(corpus / "cuad")[0]
            label = contracts.gold_of(line)
            files[label["doc_id"]] = corpus / "cuad" / line["pdf"]
            gold[label["doc_id"]] = self.label(label)
        rows = pd.DataFrame([(str(path), doc_id) for doc_id, path in files.items()], columns=["uri", "doc_id"])
        rows.to_csv(folder / "manifest.csv", index=False)
        (folder / "gold.jsonl").write_text(
            "".join(json.dumps({"doc_id": doc_id, **label}) + "\n" for doc_id, label in gold.items())
        )
        self.gold = gold

    @staticmethod
    def label(label: dict[str, Any]) -> dict[str, Any]:
        parties: list[str | None] = [*label["parties"], None, None]
        return {
            "title": label["title"],
            "first_company": parties[0],
            "second_company": parties[1],
            "date": label["agreement_date"],
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env=os.environ | {"COLUMNS": "200"},
        )

    def run(self, instructions: str, folder: str) -> dict[str, Any]:
        (self.folder / "jobs" / "job.toml").write_text(JOB.format(instructions=instructions, folder=folder))
        done = self.command("run", "jobs/job.toml", "--json")
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert all(item["closes"] for item in report["sums"])
        return report


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, corpus_if_there: Path | None) -> Labelled:
    project = Labelled(tmp_path_factory.mktemp("labelled") / "project", corpus_if_there)
    project.run(GOOD, "before")
    return project


def fold(text: str) -> str:
    """A normalisation of this test's own: letters and digits, any case."""
    return "".join(char for char in text.casefold() if char.isalnum())


def test_the_figures_are_those_of_a_second_computation(labelled: Labelled) -> None:
    done = labelled.command("eval", "jobs/job.toml", "--gold", "gold.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    evaluation = json.loads(done.stdout)
    fields = evaluation["tasks"]["terms"]["fields"]
    rows = pd.read_parquet(labelled.folder / "before" / "records" / "terms").set_index("_doc_id")
    rows["date"] = rows["date"].astype(str)
    for field in SCHEMA["properties"]:  # type: ignore[attr-defined]
        outcomes: Counter[str] = Counter()
        for doc_id, label in labelled.gold.items():
            found, wanted = rows.loc[doc_id, field], label[field]
            is_right = wanted is not None and fold(str(found)) == fold(wanted)
            outcomes["hallucinated" if wanted is None else "correct" if is_right else "wrong"] += 1
        assert {name: n for name, n in fields[field]["outcomes"].items() if n} == dict(outcomes)
        right, wrong, made_up = (outcomes[name] for name in ("correct", "wrong", "hallucinated"))
        figures = fields[field]["normalized"]
        assert figures["precision"][0] == pytest.approx(right / (right + wrong + made_up))
        assert figures["recall"][0] == pytest.approx(right / (right + wrong))
        assert figures["f1"][0] == pytest.approx(2 * right / (2 * right + 2 * wrong + made_up))
    responses = pd.read_parquet(labelled.folder / "before" / "responses")
    assert evaluation["answers"]["n_questions"] == (responses["status"] == "record").sum()
    assert evaluation["latency_s"]["p95"] == pytest.approx(responses["duration_s"].quantile(0.95))
    evidence = pd.read_parquet(labelled.folder / "before" / "evidence")
    assert evaluation["evidence"]["n_cited"] == len(evidence) == len(responses)
    assert evaluation["evidence"]["ratio"][0] == pytest.approx(evidence["is_verified"].mean())
    print(labelled.command("eval", "jobs/job.toml", "--gold", "gold.jsonl").stdout)  # as it is


def test_a_worse_prompt_is_caught_by_the_gate(labelled: Labelled) -> None:
    labelled.run(WORSE, "after")
    done = labelled.command("eval", "jobs/job.toml", "--gold", "gold.jsonl", "--against", "before", "--json")
    assert done.returncode == 5
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("gate failed")]
    assert 'field "title" of task terms has F1' in line
    compared = json.loads(done.stdout)["against"]["tasks"]["terms"]["fields"]["title"]
    assert compared["n_worse"] > compared["n_better"]
    assert compared["difference"][0] < 0
    assert {one["doc_id"] for one in compared["worse"]} <= set(labelled.gold)


def test_the_report_of_that_run_is_written(labelled: Labelled) -> None:
    labelled.command("eval", "jobs/job.toml", "--gold", "gold.jsonl")
    done = labelled.command("report", "after", "--json")
    assert done.returncode == 0, done.stderr
    pages = list((labelled.folder / "after" / "report").rglob("*.html"))
    assert len(pages) == len(labelled.gold) + 2
