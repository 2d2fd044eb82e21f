"""The very prompts and engine arguments of a job, for vLLM without the pipeline; and the job's answers, to compare.

The job is rehearsed once without a model, which reads its documents; their prompts are then made as a run makes them.
An answer is found by its key, the hash of all that determines it: where the keys of prompt and answer are equal, so are
their token ids, the grammar and the most tokens of the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from bare_vllm import BarePrompt

from pipeline.engines.settings import answer_fingerprint, prompt_key
from pipeline.engines.vllm_options import build_arguments, set_cpu_environment, set_environment
from pipeline.flow.plan import Plan, build_plan
from pipeline.job import load_job
from pipeline.prompts.prompt import Prompt
from pipeline.prompts.render import LEAD, SYSTEM
from pipeline.schema.lark import build_grammar
from pipeline.tables.lines import document_of

_SHOWN_CHARS = 3000
_HEAD, _TAIL = f"system\n{SYSTEM}\nuser\n", "\nassistant\n"
"""What a chat in the embedded model's format decodes to, without its control tokens, around the user's words."""


class _Everything(Collection[str]):
    """All names: which of them vLLM knows is for the process to say that loads it."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A job as vLLM sees it.

    Attributes:
        arguments: Of vLLM's engine.
        prompts: In the order of the documents' names.
        n_documents: How many documents they are of.
    """

    arguments: dict[str, Any]
    prompts: list[BarePrompt]
    n_documents: int


@dataclass(frozen=True, slots=True)
class Ran:
    """One `pipeline run`.

    Attributes:
        total_s: Seconds from the command to its end.
        report: The run report.
        answers: What the model wrote, by key.
    """

    total_s: float
    report: dict[str, Any]
    answers: dict[str, str]


def load_asked(job: Path, *, on_cpu: bool = True) -> Asked:
    """Rehearse a job, and make its prompts; the folder `rehearsal` beside it is written.

    Args:
        job: The job file.
        on_cpu: Whether vLLM will run on the CPU, which has arguments of its own.

    Raises:
        RuntimeError: The rehearsal failed, or a prompt is not in the embedded model's chat format.
    """
    rehearsal = job.parent / "rehearsal"
    run_pipeline(job, "engine.kind=synthetic", f"output.folder={rehearsal.name}")
    plan = build_plan(load_job(job))
    settings = plan.engine_settings(Path())
    set_environment(settings)
    if on_cpu:
        set_cpu_environment(settings)
    arguments = build_arguments(settings, _Everything(), on_cpu=on_cpu)
    documents = sorted(pq.read_table(rehearsal / "documents").to_pylist(), key=lambda line: str(line["uri"]))
    chunks = [chunk for line in documents for chunk in plan.maker.cut(document_of(line))]
    fingerprint = answer_fingerprint(settings, "vllm")
    prompts = [_bare(prompt, plan, fingerprint) for chunk in chunks for prompt in plan.maker.prompts(chunk)]
    return Asked(arguments, prompts, len(documents))


def run_pipeline(job: Path, *settings: str) -> Ran:
    """Run a job as its own command, in its folder, and read what came out.

    Args:
        job: The job file.
        settings: Of the job, for this run: `section.key=value`. `output.folder` is `out` without one.

    Raises:
        RuntimeError: It did not end with exit code 0.
    """
    overrides = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "pipeline", "run", str(job), "--json", *overrides]
    # Where this file's package is: a benchmark may be run from anywhere.
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, cwd=job.parent, env=environment, check=False)
    total_s = time.monotonic() - began_s
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace")[-_SHOWN_CHARS:]
        raise RuntimeError(f"pipeline run ended with {done.returncode}:\n{told}")
    report = json.loads(done.stdout)
    responses = pq.read_table(Path(report["report"]).parents[1] / "responses", columns=["key", "text"])
    answers = dict(zip(responses["key"].to_pylist(), responses["text"].to_pylist(), strict=True))
    return Ran(total_s, report, answers)


def _bare(prompt: Prompt, plan: Plan, fingerprint: str) -> BarePrompt:
    ids = list(prompt.token_ids)
    return BarePrompt(
        key=prompt_key(prompt, fingerprint),
        token_ids=ids,
        max_tokens=prompt.max_tokens,
        grammar=build_grammar(prompt.decoder_schema),
        messages=_chat(plan.tokenizer.decode(ids)),
    )


def _chat(text: str) -> list[dict[str, str]]:
    """A prompt's text as the messages that it was made of."""
    if not (text.startswith(_HEAD + LEAD) and text.endswith(_TAIL)):
        raise RuntimeError(f"this is no chat in the embedded model's format: {text[:80]!r} ... {text[-40:]!r}")
    user = text.removeprefix(_HEAD).removesuffix(_TAIL)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
