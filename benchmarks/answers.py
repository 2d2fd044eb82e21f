"""`make answers`: real answers to some twenty schemas in 64 to 512 tokens. Is each one whole, and valid?

    python benchmarks/answers.py [--answers N] [--models smollm2,random] [--out FOLDER]

Two writers: SmolLM2, and a small model with random weights, which says whatever the grammar lets it. Each is asked for
N answers in turn, greedily once and then at temperature 1. Writes answers.json and answers.md. Exit code 1: an answer
was cut, was no JSON, or was not accepted by the full validator, and that not for a key that a map has twice.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from answering import CONTEXT_WINDOW, Case, Outcome, answer_all, iter_asked, judge, load_cases, load_contracts
from tiny import make_tiny_model

from pipeline.engines.settings import EngineSettings
from pipeline.engines.vllm_offline import VllmEngine
from pipeline.models import ModelFolder, resolve_model
from pipeline.prompts.tokenizers import load_tokenizer

_EMBEDDED = "smollm2-135m-instruct"
_WORST_SHOWN = 20
_PREFACE = """# Are the answers whole, and valid?

Made by `make answers`: real vLLM, two writers. SmolLM2 has 135M parameters; `random` has random weights and says
whatever the grammar lets it. Each schema (`tests/answers_schemas/`) is asked with those numbers of tokens in which its
longest answer can be written, in the first rounds greedily, then at temperature 1. Complete: ended by itself, in JSON.
Valid: accepted by the full validator, formats included. Key twice: a map with a key that it has already, which no
grammar can prevent; a job asks such a question again and says why.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What one writer made of one schema with one number of tokens.

    Attributes:
        model: The writer.
        schema: The schema file's name.
        max_tokens: Most tokens of an answer.
        longest_bytes: Of the longest answer that the grammar allows: at most max_tokens, so none can be cut.
        n_answers: How many were asked for.
        n_complete: How many ended by themselves in JSON.
        n_valid: How many of those the full validator accepts.
        n_key_twice: How many of the others have a map with a key twice.
        n_cut: How many the engine cut.
        median_tokens: Of all answers.
    """

    model: str
    schema: str
    max_tokens: int
    longest_bytes: int
    n_answers: int
    n_complete: int
    n_valid: int
    n_key_twice: int
    n_cut: int
    median_tokens: float


def main() -> int:
    """Ask each model; 0 when every answer is whole and valid."""
    options = _parse_options()
    with tempfile.TemporaryDirectory(prefix="pipeline-answers-") as folder:
        embedded = resolve_model(_EMBEDDED, Path())
        models: dict[str, Callable[[], ModelFolder]] = {
            "smollm2": lambda: embedded,
            "random": lambda: make_tiny_model(Path(folder) / "random", embedded.path),
        }
        cases = load_cases(load_tokenizer("auto", embedded.path), load_contracts())
        lines: list[Line] = []
        for name in options.models.split(","):
            lines += _ask(name, _settings(models[name](), Path(folder)), cases, options.answers)
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(line) for line in lines], indent=1)
    (options.out / "answers.json").write_text(f"{text}\n", encoding="utf-8")
    (options.out / "answers.md").write_text("\n".join(_write_page(lines)), encoding="utf-8")
    print("\n".join(build_table(build_totals(lines))))
    return 0 if all(line.n_valid + line.n_key_twice == line.n_answers for line in lines) else 1


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Are real answers whole and valid?")
    parser.add_argument("--answers", type=int, default=200, help="of each model")
    parser.add_argument("--models", default="smollm2,random", help="which of the two, with a comma between")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where answers.json and answers.md go")
    return parser.parse_args()


def _ask(name: str, settings: EngineSettings, cases: Sequence[Case], number: int) -> Iterator[Line]:
    """All answers of one model, by schema and number of tokens; what is wrong with the first of the bad ones."""
    asked = list(iter_asked(cases, number))
    engine = VllmEngine(settings)
    engine.start()
    began = time.monotonic()
    try:
        answers = answer_all(engine, [prompt for _, prompt in asked])
    finally:
        engine.close()
    print(f"{name}: {number} answers in {time.monotonic() - began:.0f} s", flush=True)
    judged = {prompt.prompt_id: judge(answers[prompt.prompt_id], case.contract) for case, prompt in asked}
    bad = [f"{key} is {outcome}: {why}" for key, (outcome, why) in judged.items() if outcome is not Outcome.VALID]
    for sentence in bad[:_WORST_SHOWN]:
        print(f"{name}: {sentence}", file=sys.stderr)
    for case in cases:
        ids = [prompt.prompt_id for other, prompt in asked if other is case]
        outcomes = Counter(judged[key][0] for key in ids)
        yield Line(
            model=name,
            schema=case.contract.name,
            max_tokens=case.prompt.max_tokens,
            longest_bytes=case.contract.longest_bytes,
            n_answers=len(ids),
            n_complete=sum(outcomes[each] for each in (Outcome.VALID, Outcome.KEY_TWICE, Outcome.INVALID)),
            n_valid=outcomes[Outcome.VALID],
            n_key_twice=outcomes[Outcome.KEY_TWICE],
            n_cut=outcomes[Outcome.CUT],
            median_tokens=statistics.median([answers[key].n_output_tokens for key in ids] or [0]),
        )


def _settings(model: ModelFolder, folder: Path) -> EngineSettings:
    return EngineSettings(
        model_path=model.path,
        model_name=model.name,
        model_identity=model.identity,
        context_window=CONTEXT_WINDOW,
        log_path=folder / f"{model.name}.log",
        options={"kv_cache_memory_bytes": 1 << 30},
    )


def _write_page(lines: Sequence[Line]) -> Iterator[str]:
    """Markdown."""
    yield _PREFACE
    yield from build_table(build_totals(lines))
    yield ""
    yield "## By schema and number of tokens"
    yield ""
    yield from build_table(lines)
    yield ""


def build_totals(lines: Sequence[Line]) -> Iterator[Line]:
    """All schemas together, by writer and number of tokens."""
    for model in dict.fromkeys(line.model for line in lines):
        for max_tokens in sorted({line.max_tokens for line in lines if line.model == model}):
            yield _sum(model, [line for line in lines if (line.model, line.max_tokens) == (model, max_tokens)])


def _sum(model: str, lines: Sequence[Line]) -> Line:
    return Line(
        model=model,
        schema=f"{len(lines)} schemas",
        max_tokens=lines[0].max_tokens,
        longest_bytes=max(line.longest_bytes for line in lines),
        n_answers=sum(line.n_answers for line in lines),
        n_complete=sum(line.n_complete for line in lines),
        n_valid=sum(line.n_valid for line in lines),
        n_key_twice=sum(line.n_key_twice for line in lines),
        n_cut=sum(line.n_cut for line in lines),
        median_tokens=statistics.median(line.median_tokens for line in lines),
    )


def build_table(lines: Iterable[Line]) -> Iterator[str]:
    """Markdown."""
    yield "| writer | schema | max_tokens | most bytes | answers | complete | valid | key twice | cut | median tokens |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for line in lines:
        yield (
            f"| {line.model} | {line.schema} | {line.max_tokens} | {line.longest_bytes} | {line.n_answers} | "
            f"{line.n_complete} | {line.n_valid} | {line.n_key_twice} | {line.n_cut} | {line.median_tokens:g} |"
        )


if __name__ == "__main__":
    sys.exit(main())
