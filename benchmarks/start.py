"""Cold start: seconds from the command `pipeline run` to the first prompt in the engine, against a bare script.

    python benchmarks/start.py [--times N] [--out FOLDER]

The bare script imports vLLM and loads the same model with the same arguments; it reads, plans and cuts nothing. Prints
also where the time before the engine's start goes. Writes start.json and start.md. Exit code 1: the first prompt comes
more than a second later than with the bare script. Four minutes with three rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import compare
import start_phases
import tasks
from bare_prompts import load_asked, run_pipeline
from bare_vllm import BareWork, run_bare
from compare import SECONDS, Comparison, Contender, Figures, Page

_MOST_S = 1.0
_MOMENTS = ("planned", "engine_start", "first_prompt", "engine_ready")
_BARE, _OURS = "bare script", "pipeline run"
_PREFACE = (
    "Seconds from the start of the process: to the moment when vLLM can take a prompt (bare script), to the first "
    "prompt given to vLLM (`pipeline run`). Same model, same arguments, one short document; what the disk gave once is "
    "in the system's cache. planned: job, schemas, tokenizer and the output folder's state are loaded.",
)


def main() -> int:
    """Measure; 0 when the goal was kept."""
    parser = argparse.ArgumentParser(description="Cold start.")
    compare.add_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as temporary:
        job = tasks.write_job(Path(temporary) / "job", n_tasks=1, n_documents=1, n_tokens=400)
        comparison = measure(job, Path(temporary), options.times)
        phases = time_phases(job, options.times)
    later_s = find_later_s(comparison)
    sentence = f"The first prompt is in the engine {later_s:+.2f} s after the bare script's, goal at most +{_MOST_S} s."
    comparison.notes.append(sentence)
    page = Page(
        "start", "Cold start", "make bench-start", [comparison], [*_PREFACE, "\n".join(build_phase_table(phases))]
    )
    compare.write_page(page, options.out)
    print("", *build_phase_table(phases), "", sentence, sep="\n")
    return 1 if later_s > _MOST_S else 0


def measure(job: Path, folder: Path, times: int) -> Comparison:
    """The two starts, in turn."""
    asked = load_asked(job)
    work = BareWork(asked.arguments, asked.prompts[:1])
    n_runs = 0

    def start_ours() -> Figures:
        nonlocal n_runs
        n_runs += 1
        timeline = run_pipeline(job, f"output.folder=out{n_runs}").report["timeline"]
        return {SECONDS: timeline["first_submitted"], **{f"{name}, s": timeline[name] for name in _MOMENTS}}

    contenders = [
        Contender(_BARE, lambda: {SECONDS: run_bare(work, folder / "bare").ready_s}),
        Contender(_OURS, start_ours),
    ]
    found = compare.compare("start", contenders, _BARE, times)
    return replace(found, notes=[f"Model: {Path(str(asked.arguments['model'])).name}."])


def find_later_s(comparison: Comparison) -> float:
    """How much later `pipeline run` is, in seconds: the median of the rounds."""
    pairs = zip(comparison.values(_OURS, SECONDS), comparison.values(_BARE, SECONDS), strict=True)
    return statistics.median(ours - bare for ours, bare in pairs)


def time_phases(job: Path, times: int) -> dict[str, float]:
    """Seconds of each phase before the engine starts: medians over so many processes."""
    command = [sys.executable, str(Path(start_phases.__file__)), str(job)]
    found: list[dict[str, float]] = [
        json.loads(subprocess.run(command, capture_output=True, check=True, cwd=job.parent).stdout)
        for _ in range(times)
    ]
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def build_phase_table(phases: Mapping[str, float]) -> list[str]:
    """Markdown."""
    rows = [f"| {name} | {seconds:.3f} |" for name, seconds in phases.items()]
    return ["| phase, alone in a process | s |", "|---|--:|", *rows, f"| all | {sum(phases.values()):.3f} |"]


if __name__ == "__main__":
    sys.exit(main())
