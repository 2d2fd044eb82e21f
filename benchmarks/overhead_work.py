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
_LARGEST_BYTES = 500_000
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
kv_cache_memory_bytes = 2_147_483_648
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
    """Choose the shortest of the real documents, no two with the same text; returns the job file.

    Raises:
        RuntimeError: They could not be read, or there are too few of them.
    """
    folder.mkdir(parents=True)
    (folder / "all").mkdir()
    paths = [path for name in _FOLDERS for path in sorted((corpus / name).resolve().rglob("*")) if _may_be_short(path)]
    everything = _write_job(folder / "all", _write_manifest(folder / "all", paths))
    run_pipeline(everything, "engine.kind=synthetic")
    documents = pq.read_table(folder / "all" / "out" / "documents", columns=["uri", "n_tokens", "text"]).to_pylist()
    chosen = choose_shortest([(line["n_tokens"], line["uri"], line["text"]) for line in documents], n_documents)
    return _write_job(folder, _write_manifest(folder, [Path(uri) for uri in chosen]))


def choose_shortest(documents: list[tuple[int, str, str]], number: int) -> list[str]:
    """The names of so many documents with the fewest tokens; of those with the same text, the first name.

    Args:
        documents: Number of tokens, name and text of each, in any order.
        number: How many.

    Raises:
        RuntimeError: There are not so many.
    """
    firsts: dict[str, str] = {}
    for _, name, text in sorted(documents):
        firsts.setdefault(text, name)
    if len(firsts) < number:
        raise RuntimeError(f"{len(firsts)} documents differ in their text, expected {number} or more")
    return list(firsts.values())[:number]


def _may_be_short(path: Path) -> bool:
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
