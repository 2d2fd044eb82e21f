"""What further questions about a chunk cost: one, three and five tasks on the same chunks of 3,000 tokens.

    python benchmarks/tasks.py [--chunks N] [--tokens N] [--times N] [--out FOLDER]

Real vLLM and the embedded model. The pipeline puts the document first, so that the engine computes it once for all
tasks; the last contender asks the same with the question first, by vLLM alone. Writes tasks.json and tasks.md. Exit
code 1: a goal was missed. About ten minutes with three rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import compare
import pyarrow.parquet as pq
import workload
from bare_prompts import load_asked, run_pipeline
from bare_vllm import BarePrompt, BareWork, run_bare
from compare import SECONDS, Contender, Figures, Page

_QUESTIONS: Mapping[str, str] = {
    "price": "How much is to be paid?",
    "notice": "How many days of notice are there?",
    "parties": "How many parties does it name?",
    "goods": "How many goods are to be delivered?",
    "year": "In which year was it signed?",
}
_SCHEMA = {
    "type": "object",
    "properties": {"is_stated": {"type": "boolean"}, "number": {"type": "integer", "minimum": 0, "maximum": 9_999}},
    "required": ["is_stated", "number"],
}
_GOALS = {1: None, 3: 1.25, 5: 1.4}
_MAX_TOKENS = 64
_FRAME_TOKENS = 60
_JOB = """
name = "tasks"
[input]
paths = ["in"]
{tasks}
[chunking]
max_tokens = {budget}
{engine}
[retries]
max_attempts = 1
max_splits = 0
[output]
folder = "out"
"""
CPU_ENGINE = """
[engine.options]
kv_cache_memory_bytes = 2_147_483_648
"""
_TASK = """
[[tasks]]
name = "{name}"
instructions = "{question}"
schema = "{name}.json"
max_tokens = {max_tokens}
"""
_PREFACE = (
    "The embedded SmolLM2 on vLLM, greedy. Each document is one chunk. Seconds: from the first prompt in the engine to "
    "the last answer in the journal, the engine loaded. Computed: prompt tokens that the prefix cache did not have.",
    "All questions have answers of the same form, two values in about as many tokens: what counts is the number of "
    "questions. Each token that is written reads the whole chunk's keys and values again, so longer answers cost more, "
    "however many of them share a chunk.",
    "The prefix cache gives whole blocks only: what the chunk leaves over of its last block is computed again for each "
    "task, with the question.",
)


def main() -> int:
    """Measure; 0 when both goals were kept."""
    options = _parse_options()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as temporary:
        comparison = measure(Path(temporary), options.chunks, options.tokens, options.times)
    page = Page("tasks", "What further questions about a chunk cost", "make bench-tasks", [comparison], _PREFACE)
    return compare.write_page(page, options.out)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What further questions about a chunk cost.")
    parser.add_argument("--chunks", type=int, default=6, help="documents of one chunk each")
    parser.add_argument("--tokens", type=int, default=3000, help="of a chunk, about")
    compare.add_options(parser)
    return parser.parse_args()


def measure(folder: Path, n_chunks: int, n_tokens: int, times: int) -> compare.Comparison:
    """Run each number of tasks in turn, and the question-first order beside them."""
    jobs = {n_tasks: write_job(folder / f"tasks{n_tasks}", n_tasks, n_chunks, n_tokens) for n_tasks in _GOALS}
    three = load_asked(jobs[3])
    n_opening = _common([prompt.token_ids for prompt in three.prompts[::3]])
    chunks = [three.prompts[start : start + 3] for start in range(0, len(three.prompts), 3)]
    reordered = replace_ids(three.prompts, [ids for chunk in chunks for ids in put_question_first(chunk, n_opening)])
    work = BareWork(three.arguments, reordered)
    contenders = [Contender(_name(n_tasks), Asking(job), at_most=_GOALS[n_tasks]) for n_tasks, job in jobs.items()]
    contenders.append(Contender("3 tasks, question first (vLLM alone)", lambda: _ask_bare(work, folder / "bare")))
    found = compare.compare("tasks", contenders, _name(1), times)
    lengths = [len(prompt.token_ids) for prompt in three.prompts]
    note = (
        f"{n_chunks} chunks; prompts of {min(lengths):,} to {max(lengths):,} tokens, answers of {_MAX_TOKENS} at most."
    )
    return replace(found, notes=[note])


def write_job(folder: Path, n_tasks: int, n_documents: int, n_tokens: int, engine: str = CPU_ENGINE) -> Path:
    """Write documents of about n_tokens tokens each and a job with the first n_tasks questions; returns the job file.

    The documents are the same for each number of tasks, and no two begin alike. `engine` is the job's text for the
    engine and the model.
    """
    (folder / "in").mkdir(parents=True)
    draw = random.Random(0)
    for number in range(n_documents):
        text = f"Document {draw.randint(1000, 9999)}-{number}.\n\n{workload.make_text(draw, n_tokens - _FRAME_TOKENS)}"
        (folder / "in" / f"{number:03d}.txt").write_text(text, encoding="utf-8")
    tasks = []
    for name, question in list(_QUESTIONS.items())[:n_tasks]:
        (folder / f"{name}.json").write_text(json.dumps(_SCHEMA), encoding="utf-8")
        tasks.append(_TASK.format(name=name, question=question, max_tokens=_MAX_TOKENS))
    job = folder / "job.toml"
    job.write_text(_JOB.format(tasks="".join(tasks), budget=2 * n_tokens, engine=engine), encoding="utf-8")
    return job


def put_question_first(prompts: Sequence[BarePrompt], n_opening: int) -> list[list[int]]:
    """The token ids of the prompts of one chunk, at least two, with each question where the chunk began.

    Args:
        prompts: What all of them begin with is the opening and the chunk; what all end with closes them.
        n_opening: Ids before the chunk, which stay first: they open the user's message.
    """
    ids = [prompt.token_ids for prompt in prompts]
    n_before = _common(ids)
    n_after = min(_common([each[::-1] for each in ids]), min(map(len, ids)) - n_before)
    return [
        each[:n_opening] + each[n_before : len(each) - n_after] + each[n_opening:n_before] + each[len(each) - n_after :]
        for each in ids
    ]


def replace_ids(prompts: Sequence[BarePrompt], ids: Sequence[list[int]]) -> list[BarePrompt]:
    """The same prompts with other token ids."""
    return [replace(prompt, token_ids=each) for prompt, each in zip(prompts, ids, strict=True)]


def count_cached(responses: Sequence[Mapping[str, Any]]) -> list[int]:
    """Cached tokens of each question about a chunk but the one that had to compute it: the one with fewest."""
    chunks: dict[tuple[str, int], list[int]] = {}
    for line in responses:
        chunks.setdefault((line["doc_id"], line["chunk_index"]), []).append(line["n_cached_tokens"])
    return [n_cached for chunk in chunks.values() for n_cached in sorted(chunk)[1:]]


class Asking:
    """`pipeline run` over one job, as a contender; each call is a run of its own, in an output folder of its own."""

    def __init__(self, job: Path) -> None:
        self._job, self._n_runs = job, 0

    def __call__(self) -> Figures:
        """Run it."""
        self._n_runs += 1
        report = run_pipeline(self._job, f"output.folder=out{self._n_runs}").report
        columns = ["doc_id", "chunk_index", "n_cached_tokens"]
        later = count_cached(
            pq.read_table(Path(report["report"]).parents[1] / "responses", columns=columns).to_pylist()
        )
        tokens = report["tokens"]
        return {
            SECONDS: report["seconds"]["generating"],
            "prompt tokens": tokens["prompts"],
            "computed": tokens["prompts"] - tokens["cached"],
            "fewest cached, later task": min(later, default=0),
            "output tokens": tokens["output"],
        }


def _ask_bare(work: BareWork, folder: Path) -> Figures:
    """By vLLM alone; the prompts of a chunk, three, stand next to each other."""
    (done,) = run_bare(work, folder).rounds
    answers = done.answers.values()
    n_prompt = sum(answer.n_prompt_tokens for answer in answers)
    cached = [done.answers[prompt.key].n_cached_tokens for prompt in work.prompts]
    later = [n_cached for start in range(0, len(cached), 3) for n_cached in sorted(cached[start : start + 3])[1:]]
    return {
        SECONDS: done.seconds,
        "prompt tokens": n_prompt,
        "computed": n_prompt - sum(answer.n_cached_tokens for answer in answers),
        "fewest cached, later task": min(later, default=0),
        "output tokens": sum(answer.n_output_tokens for answer in answers),
    }


def _common(ids: Sequence[Sequence[int]]) -> int:
    """How many first ids all of them share."""
    return next((n for n, each in enumerate(zip(*ids, strict=False)) if len(set(each)) > 1), min(map(len, ids)))


def _name(n_tasks: int) -> str:
    return f"{n_tasks} task{'s' if n_tasks > 1 else ''}"


if __name__ == "__main__":
    sys.exit(main())
