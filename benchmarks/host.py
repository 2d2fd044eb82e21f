"""`make bench-host`: how much one host does for its GPUs, with an engine that answers at once; where the time goes.

    python benchmarks/host.py [--documents N] [--long N] [--pdfs N] [--pages N] [--times N] [--corpus C] [--out FOLDER]

The real command runs with the rehearsal engine at no latency, over small texts, texts and PDFs of about 128K tokens in
a window of 131,072, and the transcripts of a corpus. It writes host.json, host.md and host.svg. Exit code 1: a run did
not do what it should.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bars
import stages
import workload
from compare import show
from machine import describe_machine

from pipeline.models.embedded import prepare_embedded_model

_WINDOW = 131_072
_LONG_TOKENS = 127_000
_GPU_TOKENS = 10_000
_COMMAND = "make bench-host"
_CORPUS_FOLDERS = ("transcripts/qmsum", "transcripts/bitcoin")
_UNCOUNTED = (stages.START, stages.ENGINE)


@dataclass(frozen=True, slots=True)
class Case:
    """What is run.

    Attributes:
        name: For people.
        job: The job file; its output folder is `out` beside it.
        settings: What is set besides, `name=value`.
    """

    name: str
    job: Path
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a run showed.

    Attributes:
        case: Its name.
        seconds: Wall-clock time of the whole command after the interpreter's start, by run.
        n_documents: Documents that were committed.
        n_prompts: Questions asked.
        n_prompt_tokens: Tokens of their prompts.
        stages: Processor seconds by stage, of the run with the median time.
        threads: Processor seconds of each of the driver's Python threads by stage, of that run.
    """

    case: str
    seconds: list[float]
    n_documents: int
    n_prompts: int
    n_prompt_tokens: int
    stages: dict[str, float]
    threads: dict[str, dict[str, float]]

    @property
    def documents_per_s(self) -> float:
        """Of the whole command."""
        return self.n_documents / statistics.median(self.seconds)

    @property
    def tokens_per_s(self) -> float:
        """Prompt tokens a second of the whole command."""
        return self.n_prompt_tokens / statistics.median(self.seconds)

    def core_tokens_per_s(self, *names: str) -> float:
        """Prompt tokens a second that one core would do if it did nothing but these stages; 0: too fast to be seen."""
        spent_s = sum(self.stages.get(name, 0.0) for name in names)
        return self.n_prompt_tokens / spent_s if spent_s else 0.0

    def shares(self) -> dict[str, float]:
        """Each stage's share of the processor time of the host's own work, of which start and engine are no part."""
        counted = {name: spent for name, spent in self.stages.items() if name not in _UNCOUNTED}
        total = sum(counted.values()) or 1.0
        return {name: spent / total for name, spent in sorted(counted.items(), key=lambda item: -item[1])}


def main() -> int:
    """Run all cases; 0 when each committed all that it was given."""
    options = _parse_options()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as folder:
        ceilings = [_measure(case, options.times) for case in _iter_cases(options, Path(folder))]
    options.out.mkdir(parents=True, exist_ok=True)
    machine = describe_machine(("tokenizers", "pyarrow"))
    facts = {"command": _COMMAND, "machine": machine, "cases": [_facts(one) for one in ceilings]}
    (options.out / "host.json").write_text(f"{json.dumps(facts, indent=1)}\n", encoding="utf-8")
    (options.out / "host.md").write_text("\n".join(_iter_page(ceilings, machine)) + "\n", encoding="utf-8")
    panels = [bars.Panel(one.case, f"{show(one.documents_per_s)} documents/s", one.shares()) for one in ceilings]
    (options.out / "host.svg").write_text(bars.draw(panels), encoding="utf-8")
    print("\n".join(_iter_rates(ceilings)))
    idle = [one.case for one in ceilings if not one.n_documents]
    for case in idle:
        print(f"missed: {case}: no document was committed", file=sys.stderr)
    return 1 if idle else 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The host's ceiling, and where its time goes.")
    parser.add_argument("--documents", type=int, default=10_000, help="small documents")
    parser.add_argument("--long", type=int, default=24, help="texts of about 127,000 tokens")
    parser.add_argument("--pdfs", type=int, default=4, help="long PDFs")
    parser.add_argument("--pages", type=int, default=180, help="pages of each; 180 are about 128,000 tokens")
    parser.add_argument("--times", type=int, default=3, help="runs of each; what is told is the median")
    parser.add_argument("--corpus", type=Path, help="a folder with transcripts/, if it is there")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where host.json, host.md and host.svg go")
    return parser.parse_args()


def _iter_cases(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Each case's documents are made when its turn comes."""
    workload.write_documents(folder / "small" / "in", options.documents)
    yield Case(
        f"{options.documents:,} texts of 100 to 2,500 characters",
        workload.write_project(folder / "small", ["in"], options.documents),
    )
    wide = (f"model.path={_write_wide_model(folder / 'model')}",)
    _write_long_texts(folder / "long" / "in", options.long)
    yield Case(
        f"{options.long} texts of {_LONG_TOKENS:,} tokens",
        workload.write_project(folder / "long", ["in"], options.long),
        wide,
    )
    for number in range(options.pdfs):
        workload.write_pdf(folder / "pdf" / "in" / f"{number}.pdf", options.pages)
    job = workload.write_project(folder / "pdf", ["in"], options.pdfs)
    yield Case(f"{options.pdfs} PDFs of {options.pages} pages", job, wide)
    names = [options.corpus / name for name in _CORPUS_FOLDERS] if options.corpus else []
    if names and all(name.is_dir() for name in names):
        paths = [str(name.resolve()) for name in names]
        yield Case("real transcripts", workload.write_project(folder / "real", paths, 1000), wide)


def _write_wide_model(folder: Path) -> Path:
    """The embedded model's folder with a window of 131,072 in its config: no model is loaded, its tokenizer is."""
    folder.mkdir(parents=True)
    source = prepare_embedded_model()
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").unlink()
    text = json.dumps({**config, "max_position_embeddings": _WINDOW})
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


def _write_long_texts(folder: Path, n_documents: int) -> None:
    folder.mkdir(parents=True)
    draw = random.Random(0)
    for number in range(n_documents):
        (folder / f"{number:04d}.txt").write_text(workload.make_text(draw, _LONG_TOKENS), encoding="utf-8")


def _measure(case: Case, times: int) -> Ceiling:
    """Run a case so often, from nothing each time."""
    runs = sorted((_run(case, number) for number in range(times)), key=lambda facts: float(facts["seconds"]))
    middle = runs[(len(runs) - 1) // 2]
    counts, tokens = middle["report"].get("counts", {}), middle["report"].get("tokens", {})
    ceiling = Ceiling(
        case=case.name,
        seconds=[facts["seconds"] for facts in runs],
        n_documents=counts.get("documents", 0),
        n_prompts=counts.get("prompts", 0),
        n_prompt_tokens=tokens.get("prompts", 0),
        stages=middle["stages"],
        threads=middle["threads"],
    )
    print(
        f"{case.name}: {show(ceiling.documents_per_s)} documents/s, {show(ceiling.tokens_per_s)} tokens/s", flush=True
    )
    return ceiling


def _run(case: Case, number: int) -> dict[str, Any]:
    root = Path(__file__).parents[1]
    facts = case.job.parent / "facts.json"
    settings = [f"output.folder=out{number}", *case.settings]
    words = ["run", str(case.job), "--json", *(word for setting in settings for word in ("--set", setting))]
    command = [sys.executable, str(Path(__file__).with_name("stages.py")), str(facts), *words]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with (case.job.parent / "stderr.log").open("w", encoding="utf-8") as log:
        code = subprocess.run(command, cwd=root, env=environment, stderr=log, check=False).returncode
    if code:
        print((case.job.parent / "stderr.log").read_text(encoding="utf-8"), file=sys.stderr)
    found: dict[str, Any] = json.loads(facts.read_bytes())
    return found


def _iter_page(ceilings: list[Ceiling], machine: dict[str, str]) -> Iterator[str]:
    yield "# What one host does for its GPUs\n"
    yield f"Made by `{_COMMAND}`, with an engine that answers at once. Medians of whole commands, start to commit.\n"
    yield f"Machine: {', '.join(f'{name} {value}' for name, value in machine.items())}.\n"
    yield from _iter_rates(ceilings)
    yield f"\nGPUs fed: at {_GPU_TOKENS:,} prompt tokens/s each. Per core: what a core would do if it did only that.\n"
    yield "## Where the processor time goes\n"
    yield "Of the driver's threads, the threads of its libraries and the reading processes; without the start, and"
    yield "without the engine's own process, which stands in for a GPU.\n"
    yield f"| stage | {' | '.join(one.case for one in ceilings)} |"
    yield f"|---|{'--:|' * len(ceilings)}"
    for stage in dict.fromkeys(stage for one in ceilings for stage in one.shares()):
        yield f"| {stage} | {' | '.join(f'{one.shares().get(stage, 0.0):.1%}' for one in ceilings)} |"


def _iter_rates(ceilings: list[Ceiling]) -> Iterator[str]:
    titles = ["documents/s", "prompt tokens/s", "GPUs fed", "tokens/s per core, tokenizing"]
    yield f"| documents | {' | '.join([*titles, 'tokens/s per core, cutting and prompts'])} |"
    yield f"|---|{'--:|' * (len(titles) + 1)}"
    for one in ceilings:
        per_core = (
            one.core_tokens_per_s(stages.TOKENIZING, stages.THREADS),
            one.core_tokens_per_s(stages.CUTTING, stages.PROMPTS),
        )
        figures = [one.documents_per_s, one.tokens_per_s, one.tokens_per_s / _GPU_TOKENS, *per_core]
        yield f"| {one.case} | {' | '.join(map(show, figures))} |"


def _facts(one: Ceiling) -> dict[str, Any]:
    rates = {"documents_per_s": round(one.documents_per_s, 1), "tokens_per_s": round(one.tokens_per_s)}
    return {**asdict(one), **rates, "shares": {name: round(share, 4) for name, share in one.shares().items()}}


if __name__ == "__main__":
    sys.exit(main())
