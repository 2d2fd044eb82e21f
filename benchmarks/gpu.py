"""For a GPU host: `pipeline run` against vLLM alone on long prompts, many tasks on one chunk, and the KV cache's size.

    python benchmarks/gpu.py [--models NAME,NAME] [--lengths N,N,N] [--times N] [--out FOLDER] [--rehearse]

Models with the shapes of Mistral NeMo (12B) and Mistral Small (24B) and random weights: time and memory are a real
model's, answers are noise within the grammar. Needs the pipeline's packages and vLLM 0.26 or later, no network, no
weights. All tables are printed last and written to gpu.json and gpu.md. `--rehearse` does the same on a CPU with a tiny
shape and short prompts, in a few minutes, so that it is known to work. Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import compare
import tasks
from bare_prompts import load_asked, run_pipeline
from bare_vllm import BareWork, run_bare
from compare import SECONDS, Comparison, Contender, Figures, Page
from gpu_models import cache_bytes_per_token, write_model

from pipeline.models import resolve_model

_MOST = 1.03
_FRAME_TOKENS = 600
"""What a prompt of the whole window leaves for question and answer."""
_CACHE, _COMMAND = "KV cache tokens", "whole command, s"
_BARE, _OURS = "LLM.generate, all at once", "pipeline run"
_ENGINE = """
[model]
path = "{model}"
[engine.options]
load_format = "dummy"
{further}
"""
_PREFACE = (
    'Random weights (`load_format="dummy"`) in the shape of a real model, prefix caching on. Seconds: from the first '
    "prompt in the engine to the last answer; both sides get the same token ids, grammar and arguments.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        models: Of `gpu_models.SHAPES`.
        lengths: Tokens of a prompt, and how many prompts of that length.
        chunk_tokens: Of the one chunk that several tasks are about.
        tasks: Numbers of tasks; the first is the baseline.
        on_cpu: Whether vLLM runs on the CPU.
        further: Options of the engine, as the job's TOML.
        goal: The most that a run may cost, as a multiple of `LLM.generate`; None: whatever.
    """

    models: Sequence[str] = ("nemo-12b", "small-24b")
    lengths: Mapping[int, int] | None = None
    chunk_tokens: int = 100_000
    tasks: Sequence[int] = (1, 3, 5)
    on_cpu: bool = False
    further: str = ""
    goal: float | None = _MOST


_LENGTHS = {4_096: 64, 32_768: 16, 131_072: 4}
_REHEARSAL = Size(("rehearsal",), {1_200: 2}, 1_200, (1, 3), True, "kv_cache_memory_bytes = 268_435_456", None)


def main() -> int:
    """Measure, and print the tables last."""
    options = _parse_options()
    size = _REHEARSAL if options.rehearse else Size(options.models, {n: _count(n) for n in options.lengths})
    comparisons: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as temporary:
        tokenizer = resolve_model("smollm2-135m-instruct", Path()).path
        for name in size.models:
            folder = Path(temporary) / name
            model = write_model(folder / "model", name, tokenizer)
            engine = _ENGINE.format(model=model, further=size.further)
            for n_tokens, n_prompts in (size.lengths or _LENGTHS).items():
                comparisons.append(compare_length(name, folder, engine, (n_tokens, n_prompts), size, options.times))
            comparisons.append(compare_tasks(name, folder, engine, size, options.times))
    page = Page("gpu", "On a GPU", "python benchmarks/gpu.py", comparisons, [*_PREFACE, *_describe_devices()])
    return compare.write_page(page, options.out)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and memory on a GPU.")
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(Size().models))
    parser.add_argument("--lengths", type=_numbers, default=list(_LENGTHS), help="tokens of a prompt")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, tiny")
    compare.add_options(parser, times=1)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _count(n_tokens: int) -> int:
    """Prompts of a length: half a million tokens in all, at most 64 prompts."""
    return _LENGTHS.get(n_tokens, max(1, min(64, 524_288 // n_tokens)))


def fitting_tokens(n_tokens: int) -> int:
    """Tokens of a document whose prompt and answer fit n_tokens, also when it comes out 2 % longer."""
    return max(64, n_tokens - n_tokens // 50 - _FRAME_TOKENS)


def compare_length(name: str, folder: Path, engine: str, work: tuple[int, int], size: Size, times: int) -> Comparison:
    """`pipeline run` against `LLM.generate` on prompts of one length.

    Args:
        name: Of the model.
        folder: For what the runs write.
        engine: The job's text for the model and the engine.
        work: Tokens of a prompt, and how many prompts.
        size: Where vLLM runs, and the goal.
        times: Rounds.
    """
    n_tokens, n_prompts = work
    job = tasks.write_job(folder / f"length{n_tokens}", 1, n_prompts, fitting_tokens(n_tokens), engine)
    asked = load_asked(job, on_cpu=size.on_cpu)
    runs = iter(range(times))

    def ask_bare() -> Figures:
        result = run_bare(BareWork(asked.arguments, asked.prompts), job.parent / "bare")
        (done,) = result.rounds
        n_done = sum(answer.n_prompt_tokens for answer in done.answers.values())
        return {SECONDS: done.seconds, "prompt tokens/s": n_done / done.seconds, _COMMAND: result.total_s}

    def ask_ours() -> Figures:
        ran = run_pipeline(job, f"output.folder=out{next(runs)}")
        seconds, cache = ran.report["seconds"]["generating"], ran.report["model"]["kv_cache_tokens"]
        speed = ran.report["tokens"]["prompts"] / seconds
        n_cache = int(cache) if cache.isdigit() else 0
        return {SECONDS: seconds, "prompt tokens/s": speed, _COMMAND: ran.total_s, _CACHE: n_cache}

    contenders = [Contender(_BARE, ask_bare), Contender(_OURS, ask_ours, at_most=size.goal)]
    found = compare.compare(f"{name}, {n_prompts} prompts of {n_tokens:,} tokens", contenders, _BARE, times)
    lengths = [len(prompt.token_ids) for prompt in asked.prompts]
    note = (
        f"{len(lengths)} prompts of {min(lengths):,} to {max(lengths):,} tokens. A token takes "
        f"{cache_bytes_per_token(name):,} bytes of the KV cache at two bytes a number."
    )
    return replace(found, notes=[note])


def compare_tasks(name: str, folder: Path, engine: str, size: Size, times: int) -> Comparison:
    """Several tasks on one chunk: their time against that of one, and how much the prefix cache saved."""
    contenders = [
        Contender(
            f"{n_tasks} of 5 tasks",
            tasks.Asking(tasks.write_job(folder / f"tasks{n_tasks}", n_tasks, 1, size.chunk_tokens, engine)),
        )
        for n_tasks in size.tasks
    ]
    title = f"{name}, tasks on one chunk of {size.chunk_tokens:,} tokens"
    return compare.compare(title, contenders, contenders[0].name, times)


def _describe_devices() -> list[str]:
    """The GPUs, asked in this process of torch, which takes none of their memory for that."""
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [f"Device: {', '.join(names) or 'none, on the CPU'}."]


if __name__ == "__main__":
    sys.exit(main())
