"""The documents and the job of the overhead benchmark: made texts of many lengths, or real files of a folder.

The same each time. One question, and an answer of at most 64 tokens that is always whole, so that no prompt is asked
again: the bare engine would not do that either.
"""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pyarrow.parquet as pq
from bare_prompts import run_pipeline

_FEWEST_TOKENS, _MOST_TOKENS = 50, 3000
_FRAME_TOKENS = 120
"""About what a prompt has besides the document."""
_WORD_TOKENS = 1.34
_LARGEST_BYTES = 150_000
_FOLDERS = ("pdf", "cuad", "transcripts")
_SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["contract", "letter", "report", "talk", "other"]},
        "made_on": {"type": "string", "format": "date"},
        "amount": {"type": "integer", "minimum": 0, "maximum": 99_999},
    },
    "required": ["kind", "made_on", "amount"],
    "additionalProperties": False,
}
_JOB = """
name = "overhead"
[input]
{input}
[[tasks]]
name = "facts"
instructions = "What kind of document is this, when was it made, and what amount does it name?"
schema = "facts.json"
max_tokens = 64
[engine.options]
kv_cache_memory_bytes = 1_073_741_824
[retries]
max_attempts = 1
max_splits = 0
[output]
folder = "out"
"""
_WORDS = """
agreement party shall pay amount date notice term services supplier customer within thirty days after receipt invoice
delivery goods warranty liability termination written consent law court section schedule price currency interest late
payment confidential information disclose purpose board meeting garden river winter letter morning
"""


def write_made(folder: Path, n_documents: int) -> Path:
    """Write texts whose prompts have 50 to 3,000 tokens, short ones more often, in mixed order; returns the job file.

    A prompt has a hundred tokens or so without any document: the shortest are a little longer than 50.
    """
    draw = random.Random(0)
    place = folder / "in"
    place.mkdir(parents=True)
    steps = [number / max(1, n_documents - 1) for number in range(n_documents)]
    lengths = [_FEWEST_TOKENS * (_MOST_TOKENS / _FEWEST_TOKENS) ** step for step in steps]
    draw.shuffle(lengths)
    for number, length in enumerate(lengths):
        n_words = max(8, round((length - _FRAME_TOKENS) / _WORD_TOKENS))
        (place / f"{number:04d}.txt").write_text(_text(draw, number, n_words), encoding="utf-8")
    return _write_job(folder, 'paths = ["in"]')


def write_real(folder: Path, corpus: Path, n_documents: int) -> Path:
    """Choose real documents of at most 3,000 tokens, evenly over their names; returns the job file.

    Raises:
        RuntimeError: They could not be read, or there are too few of them.
    """
    folder.mkdir(parents=True)
    (folder / "all").mkdir()
    names = [path for name in _FOLDERS for path in sorted((corpus / name).resolve().rglob("*")) if _may_fit(path)]
    everything = _write_job(folder / "all", _write_manifest(folder / "all", names))
    run_pipeline(everything, "engine.kind=synthetic")
    found = pq.read_table(folder / "all" / "out" / "documents", columns=["uri", "n_tokens"]).to_pylist()
    fitting = sorted(str(line["uri"]) for line in found if line["n_tokens"] <= _MOST_TOKENS)
    chosen = [Path(name) for name in choose_evenly(fitting, n_documents)]
    return _write_job(folder, _write_manifest(folder, chosen))


def choose_evenly(names: list[str], number: int) -> list[str]:
    """So many of the names, the first of them and then at equal distances.

    Raises:
        RuntimeError: There are not so many.
    """
    if len(names) < number:
        raise RuntimeError(f"{len(names)} documents are short enough, expected {number} or more")
    return [names[place * len(names) // number] for place in range(number)]


def _may_fit(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= _LARGEST_BYTES


def _write_manifest(folder: Path, paths: list[Path]) -> str:
    """The list of files beside the job, and the line of the job that names it."""
    with (folder / "files.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["uri"], *([str(path)] for path in paths)])
    return 'manifest = "files.csv"'


def _write_job(folder: Path, given: str) -> Path:
    (folder / "facts.json").write_text(json.dumps(_SCHEMA), encoding="utf-8")
    job = folder / "job.toml"
    job.write_text(_JOB.format(input=given), encoding="utf-8")
    return job


def _text(draw: random.Random, number: int, n_words: int) -> str:
    """Paragraphs that all begin differently: no two texts share their start with another."""
    lines = [f"Number {number}, {draw.randint(1, 28)}.{draw.randint(1, 12)}.{draw.randint(1990, 2025)}."]
    while n_words > 0:
        taken = min(n_words, draw.randint(8, 40))
        lines.append(" ".join(draw.choices(_WORDS.split(), k=taken)).capitalize() + f", {draw.randint(1, 99_999)}.")
        n_words -= taken
    return "\n\n".join(lines)
