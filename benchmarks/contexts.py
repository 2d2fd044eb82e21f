"""Long contexts for real: one long document in prompts of 4K, 32K and 131K tokens, each answered by vLLM.

    python benchmarks/contexts.py [--corpus FOLDER] [--windows N,N,N] [--pages N] [--times N] [--out FOLDER]

A random model of 3.3 million parameters with 131,072 positions, the embedded model's tokenizer, and answers of at most
64 tokens. The document is made; with a folder of real documents, its longest report of one chunk or more is run too.
Writes contexts.json and contexts.md. Exit code 1: a run did not do what it should. Ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import compare
import psutil
import pyarrow.parquet as pq
import workload
from compare import Comparison, Contender, Figures, Page

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from tiny import make_tiny_model

from pipeline.models import resolve_model

_WINDOWS = (4_096, 32_768, 131_072)
_A_PROMPT_S = "s a prompt"
_EVERY_S = 0.25
_REPORT = "long__mu__mueller-report-vol-2.pdf"
_SHOWN_CHARS = 3000
_MAX_TOKENS = 64
_ROLES = {"EngineCore": "EngineCore", "Worker": "worker"}
_SCHEMA = {
    "type": "object",
    "properties": {"made_on": {"type": "string", "format": "date"}, "amount": {"type": "integer", "minimum": 0}},
    "required": ["made_on", "amount"],
}
_JOB = """
name = "contexts"
[input]
paths = [{path}]
[[tasks]]
name = "facts"
instructions = "When was this made, and what amount does it name?"
schema = "facts.json"
max_tokens = {max_tokens}
[model]
path = "model"
[retries]
max_attempts = 1
max_splits = 0
[output]
folder = "out"
"""
_PREFACE = (
    "A random model of 3.3 million parameters with 131,072 positions on vLLM: its time is nearly all attention, so the "
    "figures show how prompts of this length go through, not how fast a useful model is. Seconds a prompt: from the "
    "first prompt in the engine to the last answer, divided by the prompts, which run beside each other. Balance: the "
    "longest prompt as a multiple of the mean. Memory: highest resident, looked at four times a second.",
)


def main() -> int:
    """Run every window over every document; 0 when each run closed its sums and lost nothing."""
    options = _parse_options()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as temporary:
        folder = Path(temporary)
        made = folder / "in" / "long.pdf"
        workload.write_pdf(made, options.pages)
        documents = {f"a made document of {options.pages} pages": made}
        if options.corpus is not None and (report := options.corpus.resolve() / "pdf" / _REPORT).is_file():
            documents["a report of 192 pages"] = report
        make_tiny_model(folder / "model", resolve_model("smollm2-135m-instruct", Path()).path)
        comparisons = [
            measure(title, write_job(folder, path), options.windows, options.times) for title, path in documents.items()
        ]
    page = Page("contexts", "Long contexts", "make bench-contexts", comparisons, _PREFACE)
    return compare.write_page(page, options.out)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prompts of 4K, 32K and 131K tokens.")
    parser.add_argument("--corpus", type=Path, help="a folder of real documents; without it, only the made one is run")
    parser.add_argument("--windows", type=_numbers, default=list(_WINDOWS), help="context windows, the first: baseline")
    parser.add_argument("--pages", type=int, default=190, help="of the made document, some 670 tokens each")
    compare.add_options(parser, times=1)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def write_job(folder: Path, document: Path) -> Path:
    """Write the job over one document, its schema beside it; its model is the folder `model` there."""
    (folder / "facts.json").write_text(json.dumps(_SCHEMA), encoding="utf-8")
    job = folder / f"{document.stem}.toml"
    job.write_text(_JOB.format(path=json.dumps(str(document)), max_tokens=_MAX_TOKENS), encoding="utf-8")
    return job


def measure(title: str, job: Path, windows: Sequence[int], times: int) -> Comparison:
    """One run for each window, in turn; the time of a prompt is compared with that in the first window."""
    contenders = [Contender(_name(window), lambda window=window: run(job, window)) for window in windows]  # type: ignore[misc]
    return compare.compare(title, contenders, _name(windows[0]), times, _A_PROMPT_S)


def run(job: Path, window: int) -> Figures:
    """Run the job in a window and say what the run was like.

    Raises:
        RuntimeError: It failed, lost something, or its sums do not close.
    """
    output = f"out-{job.stem}-{window}-{time.monotonic_ns()}"
    settings = ["--set", f"model.context_window={window}", "--set", f"output.folder={output}"]
    peaks, report = _run_watched([sys.executable, "-m", "pipeline", "run", str(job), "--json", *settings], job.parent)
    check(report)
    lengths = pq.read_table(Path(report["report"]).parents[1] / "responses", columns=["n_prompt_tokens"])[0].to_pylist()
    seconds = report["seconds"]["generating"]
    return {
        _A_PROMPT_S: seconds / len(lengths),
        "chunks": report["counts"]["chunks"],
        "longest prompt": max(lengths),
        "balance": max(lengths) * len(lengths) / sum(lengths),
        "tokens/s": sum(lengths) / seconds,
        **{f"{role}, MB": peaks[role] / 1e6 for role in ("driver", *_ROLES.values())},
    }


def check(report: dict[str, Any]) -> None:
    """The sums close, and nothing was lost but values that the schema does not allow.

    Raises:
        RuntimeError: Not so.
    """
    if not all(item["closes"] for item in report["sums"]) or report["counts"]["rejected_sources"]:
        raise RuntimeError(f"the run lost something: {report['rejects']}, {report['sums']}")
    if report["counts"]["attempts"] != report["counts"]["prompts"]:
        raise RuntimeError(f"{report['counts']['prompts']} prompts were asked {report['counts']['attempts']} times")


def _run_watched(command: Sequence[str], folder: Path) -> tuple[dict[str, int], dict[str, Any]]:
    """Highest resident memory in bytes by role, and what the command printed."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    said, told = folder / "stdout.json", folder / "stderr.log"
    with said.open("wb") as stdout, told.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=folder, env=environment)
        peaks: dict[str, int] = defaultdict(int)
        while process.poll() is None:
            _look(process.pid, peaks)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EVERY_S)
    if process.returncode != 0:
        raise RuntimeError(f"it ended with {process.returncode}:\n{told.read_text(errors='replace')[-_SHOWN_CHARS:]}")
    report: dict[str, Any] = json.loads(said.read_bytes())
    return peaks, report


def _look(pid: int, peaks: dict[str, int]) -> None:
    """One sample. Who has just ended is left out."""
    with suppress(psutil.NoSuchProcess):
        driver = psutil.Process(pid)
        peaks["driver"] = max(peaks["driver"], driver.memory_info().rss)
        for child in driver.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                words = " ".join(child.cmdline())
                for word, role in _ROLES.items():
                    if f"VLLM::{word}" in words:
                        peaks[role] = max(peaks[role], child.memory_info().rss)


def _name(window: int) -> str:
    return f"{window:,} tokens"


if __name__ == "__main__":
    sys.exit(main())
