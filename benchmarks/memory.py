"""`make bench`: what the driver needs for many documents, for one very long document, and for a rerun with nothing new.

    python benchmarks/memory.py [--documents N] [--fewer N] [--pages N] [--corpus FOLDER] [--out FOLDER]

It runs the real command with the rehearsal engine, looks at its processes from outside, prints a table, and writes
memory.json and memory.svg. Exit code 1: a limit was missed, or a run did not do what it should.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import chart
import measure
import workload
from measure import Measured, Sample

_MOST_BYTES = 1_000_000_000
_RERUN_TIMES, _RERUN_MOST_S, _RERUN_MOST_BYTES = 3, 5.0, 500_000_000
_CURVE_POINTS = 240
_KILLED = -9
_LIST = "PROVENANCE.tsv"
_MARKED_FROM = 10_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measured run.

    Attributes:
        name: For people; also says what is in the chart.
        n_documents: Sources of the job.
        most_bytes: What the driver may take at most.
        most_s: Seconds it may take; None: no limit.
        expects: Counts that its report must say; None when the run is killed and has no report.
        charted: Whether its curve is drawn.
    """

    name: str
    n_documents: int
    most_bytes: int = _MOST_BYTES
    most_s: float | None = None
    expects: dict[str, int] | None = None
    charted: bool = False

    def faults(self, run: Measured) -> Iterator[str]:
        """What is not as it should be."""
        wanted_exit = _KILLED if self.expects is None else 0
        if run.exit_code != wanted_exit:
            yield f"exit code {run.exit_code}, expected {wanted_exit}"
        for count, wanted in (self.expects or {}).items():
            found = run.report.get("counts", {}).get(count)
            if found != wanted:
                yield f"{count}: {found}, expected {wanted}"
        if (
            self.expects
            and self.expects.get("unchanged")
            and any(s.engine_bytes or s.reading_bytes for s in run.samples)
        ):
            yield "nothing is new, and yet it started an engine or a reading process"
        if run.peak_bytes > self.most_bytes:
            yield f"peak of {run.peak_mb:,.0f} MB, allowed {self.most_bytes / 1e6:,.0f} MB"
        if self.most_s is not None and run.seconds > self.most_s:
            yield f"{run.seconds:.1f} s, allowed {self.most_s:g} s"


Done = tuple[Scenario, Measured]


def main() -> int:
    """Run all scenarios; 0 when each kept its limits."""
    options = _parse_options()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as folder:
        done = [_tell(*item) for item in _iter_done(options, Path(folder))]
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_facts(done), indent=1)
    (options.out / "memory.json").write_text(f"{text}\n", encoding="utf-8")
    (options.out / "memory.svg").write_text(_draw(done), encoding="utf-8")
    print("\n" + "\n".join(_table(done)))
    missed = [f"{scenario.name}: {fault}" for scenario, run in done for fault in scenario.faults(run)]
    for sentence in missed:
        print(f"missed: {sentence}", file=sys.stderr)
    return 1 if missed else 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Memory of the driver, and the price of a rerun.")
    parser.add_argument("--documents", type=int, default=100_000, help="small documents of the long run")
    parser.add_argument("--fewer", type=int, default=10_000, help="of the run that is killed, resumed and run again")
    parser.add_argument("--pages", type=int, default=2_415, help="pages of the long PDF")
    parser.add_argument(
        "--corpus", type=Path, help=f"a folder with {_LIST}, if it is there: its longest PDF is run too"
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where memory.json and memory.svg go")
    return parser.parse_args()


def _iter_done(options: argparse.Namespace, folder: Path) -> Iterator[Done]:
    """All runs, one after the other."""
    yield from _iter_long(folder / "many", options.documents)
    shutil.rmtree(folder / "many")
    yield from _iter_killed(folder / "fewer", options.fewer)
    pdf = folder / "pages" / "in" / "long.pdf"
    workload.write_pdf(pdf, options.pages)
    yield _run_pdf(folder / "pages", "in/long.pdf", f"one PDF of {options.pages:,} pages", charted=True)
    if options.corpus is not None and (options.corpus / _LIST).is_file():
        n_pages, path = longest_pdf(options.corpus)
        yield _run_pdf(folder / "real", str(path), f"one real PDF of {n_pages:,} pages", charted=False)


def _iter_long(folder: Path, n: int) -> Iterator[Done]:
    workload.write_documents(folder / "in", n)
    job = workload.write_project(folder, ["in"], n)
    yield _run(job, Scenario(f"{n:,} small documents", n, expects={"documents": n}, charted=True))
    yield _run(
        job, Scenario(f"rerun over {n:,}, nothing new", n, expects={"unchanged": n, "attempts": 0}, charted=True)
    )


def _iter_killed(folder: Path, n: int) -> Iterator[Done]:
    """A run killed in the middle, the run that goes on from its journal, and one with nothing new."""
    workload.write_documents(folder / "in", n)
    job = workload.write_project(folder, ["in"], n)
    killed = Scenario(f"{n:,} small documents, killed in the middle", n)
    yield _run(job, killed, lambda sample: sample.n_answers >= n // 2)
    yield _run(job, Scenario(f"{n:,} small documents, resumed", n, expects={"documents": n}))
    rerun = Scenario(
        f"rerun over {n:,}, nothing new",
        n,
        most_bytes=_RERUN_MOST_BYTES,
        most_s=_RERUN_MOST_S,
        expects={"unchanged": n, "attempts": 0},
    )
    # Others may be busy on this machine; what they take is no price of the rerun.
    yield rerun, min((measure.measure_run(job) for _ in range(_RERUN_TIMES)), key=lambda run: run.seconds)


def _run_pdf(folder: Path, path: str, name: str, *, charted: bool) -> Done:
    job = workload.write_project(folder, [path], 1)
    return _run(job, Scenario(name, 1, expects={"documents": 1}, charted=charted))


def _run(job: Path, scenario: Scenario, kill_when: Callable[[Sample], bool] = lambda sample: False) -> Done:
    return scenario, measure.measure_run(job, kill_when)


def longest_pdf(corpus: Path) -> tuple[int, Path]:
    """Number of pages and path of the longest PDF that a list of files tells of."""
    with (corpus / _LIST).open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file, delimiter="\t") if line["set"] == "pdf" and line["pages"]]
    longest = max(lines, key=lambda line: int(line["pages"]))
    return int(longest["pages"]), (corpus / "pdf" / longest["file"]).resolve()


def _tell(scenario: Scenario, run: Measured) -> Done:
    """One line at once: the long run takes minutes."""
    print(f"{scenario.name}: {run.seconds:.1f} s, peak {run.peak_mb:,.0f} MB", flush=True)
    return scenario, run


def _table(done: list[Done]) -> Iterator[str]:
    """Markdown; memory of the driver alone."""
    yield "| run | seconds | driver's processor time, s | peak, MB | not shared, MB | engine, MB | readers, MB |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for scenario, run in done:
        engine, reading = _others_mb(run)
        yield (
            f"| {scenario.name} | {run.seconds:,.1f} | {run.processor_s:,.1f} | {run.peak_mb:,.0f} | "
            f"{run.own_peak_bytes / 1e6:,.0f} | {engine:,.0f} | {reading:,.0f} |"
        )


def _others_mb(run: Measured) -> tuple[float, float]:
    """The highest memory of the engine's process and of the reading processes."""
    engine = max((sample.engine_bytes for sample in run.samples), default=0)
    return engine / 1e6, max((sample.reading_bytes for sample in run.samples), default=0) / 1e6


def _facts(done: list[Done]) -> dict[str, object]:
    """What goes into memory.json."""
    runs = []
    for scenario, run in done:
        engine, reading = _others_mb(run)
        facts = {
            **asdict(scenario),
            "exit_code": run.exit_code,
            "faults": list(scenario.faults(run)),
            "seconds": round(run.seconds, 2),
            "processor_s": round(run.processor_s, 2),
            "peak_mb": round(run.peak_mb, 1),
            "own_peak_mb": round(run.own_peak_bytes / 1e6, 1),
            "engine_peak_mb": round(engine, 1),
            "reading_peak_mb": round(reading, 1),
        }
        facts["curve"] = [[round(s.at_s, 1), round(s.driver_bytes / 1e6, 1), s.n_answers] for s in thinned(run)]
        runs.append(facts)
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    return {"machine": machine, "curve_columns": ["seconds", "driver MB", "answers in the journal"], "runs": runs}


def thinned(run: Measured) -> list[Sample]:
    """At most so many samples that the curve has; in each stretch the highest is kept, so that no peak is lost."""
    step = max(1, -(-len(run.samples) // _CURVE_POINTS))
    stretches = (run.samples[start : start + step] for start in range(0, len(run.samples), step))
    return [max(stretch, key=lambda sample: sample.driver_bytes) for stretch in stretches]


def _draw(done: list[Done]) -> str:
    panels = [_panel(scenario, run) for scenario, run in done if scenario.charted]
    return chart.draw(panels, "resident memory, MB", _MOST_BYTES / 1e6, "limit 1 GB")


def _panel(scenario: Scenario, run: Measured) -> chart.Panel:
    samples = thinned(run)
    curves = [chart.Curve("driver", [(sample.at_s, sample.driver_bytes / 1e6) for sample in samples])]
    if any(sample.reading_bytes for sample in samples):
        reading = [(sample.at_s, sample.reading_bytes / 1e6) for sample in samples]
        curves.append(chart.Curve("reading processes", reading))
    note = f"driver's peak {run.peak_mb:,.0f} MB"
    marks = list(_iter_marks(samples, scenario.n_documents))
    if marks:
        note += "; above: answers so far"
    return chart.Panel(scenario.name, note, curves, "time, s", marks)


def _iter_marks(samples: Sequence[Sample], n: int) -> Iterator[tuple[float, str]]:
    """When a quarter, half and three quarters of the answers were there, where there are enough to tell."""
    for quarter in range(1, 4) if n >= _MARKED_FROM else ():
        first = next((sample for sample in samples if sample.n_answers >= n * quarter // 4), None)
        if first is not None:
            yield first.at_s, f"{n * quarter / 4000:g}k"


if __name__ == "__main__":
    sys.exit(main())
