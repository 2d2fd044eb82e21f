"""What a run costs over vLLM alone: `pipeline run` against `LLM.generate`, `vllm run-batch` and `LLM.chat` one by one.

    python benchmarks/overhead.py [--corpus FOLDER] [--work made,real] [--whole made] [--times N] [--out FOLDER]

Real vLLM, the embedded model, the same token prompts, grammar, sampling and engine arguments for all. Every figure of
each round comes from a process of its own that loads the model again. Writes a page for each work, overhead_made and
overhead_real. Exit code 1: a goal was missed. `vllm run-batch` and `LLM.chat` are compared as whole commands, in the
first round alone. Twenty minutes for `made` with three rounds, an hour for `real`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import compare
import overhead_work
import run_batch
from bare_prompts import Asked, load_asked, run_pipeline
from bare_vllm import AT_ONCE, ONE_BY_ONE, BareWork, run_bare
from compare import SECONDS, Comparison, Contender, Figures, Page

COMMAND = "command seconds"
_TOKENS = "prompt tokens"
_MOST = 1.03
_PREFACE = (
    "The embedded SmolLM2 on vLLM, greedy. All get the same prompts, the same grammar, the same limits, and the same "
    "arguments of the engine: `LLM.generate` as token ids, all at once; run-batch and `LLM.chat` as the chat that the "
    "ids were made of. Seconds: from the first prompt that is ready, with the engine loaded, to the last answer; for "
    "`pipeline run` that contains checking, merging, the journal, and what was not read and tokenized while "
    "the engine loaded: of so few documents next to none. The whole command has its own table.",
    "Same answers: share of the answers that are letter by letter those of `LLM.generate` in the first round. Which "
    "prompts share a step changes how numbers are rounded, so that even `LLM.generate` differs from itself once the "
    "order does. A chat has some more tokens: it is encoded as one text, where a blank line between two paragraphs is "
    "two tokens; the pipeline encodes segment by segment, and it is one.",
)
_WHOLE_NOTE = (
    "Loading the model, which takes each of them the same time, included. run-batch is given its requests ready made, "
    "and `LLM.chat` its texts: they read no document, and check, merge and write no row."
)


class Ways:
    """The four ways to have a job's prompts answered; each call is a run of its own.

    Args:
        job: The job file.
        asked: Its prompts.
        folder: For what the runs write.
    """

    def __init__(self, job: Path, asked: Asked, folder: Path) -> None:
        self._job, self._asked, self._folder = job, asked, folder
        self._first: dict[str, str] = {}
        self._n_runs = 0

    def at_once(self) -> Figures:
        """`LLM.generate`, in a bare script."""
        return self._bare(AT_ONCE)

    def one_by_one(self) -> Figures:
        """`LLM.chat`, in a bare script."""
        return self._bare(ONE_BY_ONE)

    def pipeline(self) -> Figures:
        """`pipeline run`.

        Raises:
            RuntimeError: It did not ask just these prompts, each once.
        """
        ran = run_pipeline(self._job, f"output.folder={self._next().name}")
        counts, keys = ran.report["counts"], {prompt.key for prompt in self._asked.prompts}
        if counts["attempts"] != len(self._asked.prompts) or ran.answers.keys() != keys:
            raise RuntimeError(f"the run asked other prompts than the {len(self._asked.prompts)} of its job: {counts}")
        seconds = {SECONDS: ran.report["seconds"]["generating"], COMMAND: ran.total_s}
        return {**seconds, _TOKENS: ran.report["tokens"]["prompts"], **self._same(ran.answers)}

    def batch(self) -> Figures:
        """`vllm run-batch`."""
        done = run_batch.run_batch(self._asked.arguments, self._asked.prompts, self._next())
        return {COMMAND: done.total_s, _TOKENS: sum(done.n_prompt_tokens.values()), **self._same(done.answers)}

    def _bare(self, way: str) -> Figures:
        result = run_bare(BareWork(self._asked.arguments, self._asked.prompts, (way,)), self._next())
        (done,) = result.rounds
        n_tokens = sum(answer.n_prompt_tokens for answer in done.answers.values())
        same = self._same({key: answer.text for key, answer in done.answers.items()})
        return {SECONDS: done.seconds, COMMAND: result.total_s, _TOKENS: n_tokens, **same}

    def _same(self, answers: Mapping[str, str]) -> Figures:
        """Against the first answers that there were."""
        self._first = self._first or dict(answers)
        n_same = sum(answers.get(key) == text for key, text in self._first.items())
        return {"% same answers": 100 * n_same / len(self._first)}

    def _next(self) -> Path:
        self._n_runs += 1
        return self._folder / f"run{self._n_runs}"


def main() -> int:
    """Measure the work that was asked for; 0 when every goal was kept."""
    options = _parse_options()
    makers: dict[str, Callable[[Path], Path]] = {
        "made": lambda folder: overhead_work.write_made(folder, options.prompts),
        "real": lambda folder: overhead_work.write_real(folder, options.corpus, options.documents),
    }
    codes = []
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as temporary:
        for name in options.work:
            folder = Path(temporary) / name
            job = makers[name](folder)
            comparisons = measure(name, job, folder, options.times, has_rivals=name in options.whole)
            title = f"What a run costs over vLLM alone: {name} documents"
            page = Page(f"overhead_{name}", title, "make bench-overhead", comparisons, _PREFACE)
            codes.append(compare.write_page(page, options.out))
    return max(codes, default=0)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a run costs over vLLM alone.")
    parser.add_argument("--corpus", type=Path, help="a folder of real documents; without it, only `made` is measured")
    parser.add_argument("--work", type=_names, default=["made", "real"], help="which documents: made, real")
    parser.add_argument("--whole", type=_names, default=["made"], help="of which run-batch and LLM.chat are run too")
    parser.add_argument("--prompts", type=int, default=64, help="of the made work")
    parser.add_argument("--documents", type=int, default=200, help="of the real work")
    compare.add_options(parser)
    options = parser.parse_args()
    if options.corpus is None or not options.corpus.is_dir():
        options.work = [name for name in options.work if name != "real"]
    return options


def _names(text: str) -> list[str]:
    return text.split(",")


def measure(name: str, job: Path, folder: Path, times: int, *, has_rivals: bool) -> list[Comparison]:
    """Compare over one job: from the first prompt to the last answer, and the whole commands of the first round.

    Args:
        name: Of the work.
        job: The job file.
        folder: For what the runs write.
        times: Rounds.
        has_rivals: Whether `vllm run-batch` and `LLM.chat` take part in the first round.
    """
    asked = load_asked(job)
    ways = Ways(job, asked, folder)
    baseline, ours = Contender("LLM.generate, all at once", ways.at_once), Contender("pipeline run", ways.pipeline)
    rivals = [Contender("vllm run-batch", ways.batch), Contender("LLM.chat, one by one", ways.one_by_one)]
    note = describe(asked)
    whole = compare.compare(name, [baseline, ours, *(rivals if has_rivals else [])], ours.name, 1, COMMAND)
    more = compare.compare(name, [ours, baseline], baseline.name, times - 1).rounds if times > 1 else []
    return [
        Comparison(
            f"{name}: from the first prompt to the last answer",
            baseline.name,
            [baseline, replace(ours, at_most=_MOST)],
            SECONDS,
            [*whole.rounds, *more],
            [note],
        ),
        replace(whole, title=f"{name}: the whole command", notes=[note, _WHOLE_NOTE]),
    ]


def describe(asked: Asked) -> str:
    """How much work it is."""
    lengths = [len(prompt.token_ids) for prompt in asked.prompts]
    arguments = {name: value for name, value in asked.arguments.items() if name != "model"}
    return (
        f"{len(lengths)} prompts of {asked.n_documents} documents: {sum(lengths):,} tokens, {min(lengths)} to "
        f"{max(lengths):,} each, median {statistics.median(lengths):,.0f}; answers of at most "
        f"{max(prompt.max_tokens for prompt in asked.prompts)}. Engine: `{json.dumps(arguments)}`."
    )


if __name__ == "__main__":
    sys.exit(main())
