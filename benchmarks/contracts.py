"""`make bench-contracts`: real contracts with labels by lawyers, read by a real model: what is found, and is it right?

    python benchmarks/contracts.py --corpus FOLDER [--contracts N] [--set A.B=VALUE] [--keep FOLDER] [--out FOLDER]

Runs jobs/terms.toml over the contracts of CUAD (cuad/ in the corpus) with the job's own model, then `pipeline eval`
against the labels and `pipeline report`: the commands that a user types. Writes contracts.json and contracts.md. Twenty
minutes with the embedded model on two cores. Exit code 1: one of the commands failed.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from machine import describe_machine

ROOT = Path(__file__).parents[1]
JOB = ROOT / "jobs" / "terms.toml"
_ALIAS = re.compile(r"\s*\([^()]*\)")
_GROUP = re.compile(r"^(?:party|parties|agent|individually|collectively)\b", re.IGNORECASE)
_DATES = {"agreement_date": "Agreement Date", "effective_date": "Effective Date"}


def main() -> int:
    """Run it; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with cuad/")
    parser.add_argument("--contracts", type=int, default=None, help="the N shortest of them; without it, all")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="a setting of the job")
    parser.add_argument("--keep", type=Path, help="where the run's folder goes; without it, it is removed")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where the tables go")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        lines = load_labels(args.corpus.resolve() / "cuad")[: args.contracts]
        gold = write_inputs(folder, lines, args.corpus.resolve() / "cuad")
        settings = [*args.set, "input.paths=[]", f"input.manifest={folder / 'manifest.csv'}"]
        overrides = [word for one in (*settings, f"output.folder={folder / 'out'}") for word in ("--set", one)]
        report = run_command("run", str(JOB), "--json", *overrides)
        evaluation = run_command("eval", str(JOB), "--gold", str(gold), "--json", *overrides)
        run_command("report", str(folder / "out"), "--json")
    if report is None or evaluation is None:
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    measured = {"machine": describe_machine(), "contracts": len(lines), "run": report, "evaluation": evaluation}
    (args.out / "contracts.json").write_text(json.dumps(strip(measured), ensure_ascii=False, indent=1) + "\n")
    text = describe(len(lines), args.set, report, evaluation)
    (args.out / "contracts.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def load_labels(cuad: Path) -> list[dict[str, Any]]:
    """The contracts of CUAD with their labels, the shortest first."""
    with (cuad / "gold.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return sorted(lines, key=lambda line: int(line["text_chars"]))


def write_inputs(folder: Path, lines: Sequence[Mapping[str, Any]], cuad: Path) -> Path:
    """Write manifest.csv, and gold.jsonl in the form of `pipeline eval`; returns the latter."""
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["uri", "doc_id"])
        rows.writerows([str(cuad / line["pdf"]), Path(line["pdf"]).stem] for line in lines)
    gold = folder / "gold.jsonl"
    gold.write_text("".join(json.dumps(gold_of(line), ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return gold


def gold_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """One contract's labels in the words of schemas/terms.json.

    A label that no value of the schema can say (a date in words, a party without a name) is not annotated.
    """
    answers = {name: str(clause.get("answer", "")).strip() for name, clause in line["clauses"].items()}
    found: dict[str, Any] = {
        "doc_id": Path(line["pdf"]).stem,
        "title": answers["Document Name"] or None,
        "parties": list(iter_parties(answers["Parties"])),
        "governing_law": answers["Governing Law"] or None,
    }
    for name, label in _DATES.items():
        if not answers[label]:
            found[name] = None
        elif (day := parse_date(answers[label])) is not None:
            found[name] = day.isoformat()
    return found


def iter_parties(answer: str) -> Iterator[str]:
    """The names in a label such as 'Acme, Inc. ("Acme"); Bob Ltd ("Bob")', each once, without what they are called."""
    names = (" ".join(_ALIAS.sub("", part).split()).strip(" ,;") for part in answer.split(";"))
    yield from dict.fromkeys(name for name in names if name and not _GROUP.match(name))


def parse_date(answer: str) -> date | None:
    """The day in a label such as 12/14/97, month first; years from 70 on are of the last century."""
    for form in ("%m/%d/%y", "%m/%d/%Y"):
        try:
            return datetime.strptime(answer, form).date()
        except ValueError:
            continue
    return None


def run_command(*words: str) -> dict[str, Any] | None:
    """Run one command of the pipeline; its JSON, and None where it gave none."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode not in (0, 5):
        print(f"pipeline {words[0]} exited with {done.returncode}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def strip(measured: Mapping[str, Any]) -> dict[str, Any]:
    """What may be published: no path of this machine, and no text of the documents beyond a few values."""
    evaluation = dict(measured["evaluation"])
    for name in ("gold", "output", "against"):
        evaluation.pop(name, None)
    evaluation["tasks"] = {
        task: {**found, "fields": {name: _without_examples(field) for name, field in found["fields"].items()}}
        for task, found in evaluation["tasks"].items()
    }
    kept = ("counts", "answers", "evidence", "tokens", "seconds", "rejects", "sums")
    return {**measured, "run": {name: measured["run"][name] for name in kept}, "evaluation": evaluation}


def _without_examples(field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name != "examples"}


def describe(
    n_contracts: int, settings: Sequence[str], report: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> str:
    """The Markdown page."""
    changed = f"with {', '.join(settings)}" if settings else "as it stands"
    n, evidence, tokens = report["counts"], report["evidence"], report["tokens"]
    (task,) = evaluation["tasks"].values()
    closing = sum(item["closes"] for item in report["sums"])
    lines = [
        "# Real contracts with labels, read by the embedded model",
        "",
        f"{n_contracts} contracts of CUAD v1 (The Atticus Project, CC BY 4.0), {n['pages']:,} pages, "
        f"{tokens['documents']:,} tokens, in {n['chunks']:,} chunks; jobs/terms.toml {changed}, real vLLM on the "
        "CPU. The model has 135 million parameters: the figures are what it is worth, printed as they are.",
        "",
        f"{n['records']:,} of {n['prompts']:,} answers are valid, {closing} of {len(report['sums'])} sums close. "
        f"{evidence['cited']:,} values were cited; quotes: "
        + ", ".join(f"{count:,} {grade}" for grade, count in evidence["grades"].items())
        + f". {evidence['verified']:,} values are verified.",
        "",
        "| field | labelled | F1 (95 %) | exact F1 | precision | recall | right | wrong | omitted | made up | absent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, field in task["fields"].items():
        found, outcomes = field["normalized"], field["outcomes"]
        kinds = ("correct", "wrong", "omitted", "hallucinated", "absent")
        figures = [_interval(found["f1"]), *map(_figure, (field["exact"]["f1"], found["precision"], found["recall"]))]
        cells = [name, str(found["support"]), *figures, *(str(outcomes[k]) for k in kinds)]
        lines.append(f"| {' | '.join(cells)} |")
    latency = evaluation["latency_s"]
    lines += [
        "",
        f"Seconds an answer, p50 / p95 / p99: {latency['p50']:.1f} / {latency['p95']:.1f} / {latency['p99']:.1f}.",
    ]
    return "\n".join([*lines, ""])


def _interval(found: Sequence[float] | None) -> str:
    return "none" if found is None else f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})"


def _figure(found: Sequence[float] | None) -> str:
    return "none" if found is None else f"{found[0]:.3f}"


if __name__ == "__main__":
    sys.exit(main())
