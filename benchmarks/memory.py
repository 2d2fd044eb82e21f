"""`make bench`: what the driver needs for many documents, for one very long document, and for a rerun with nothing new.

    python benchmarks/memory.py [--documents N ...] [--fewer N] [--pages N ...] [--corpus FOLDER] [--out FOLDER]

It runs the real command with the rehearsal engine, looks at its processes from outside, prints tables, and writes
memory.json, memory.md and memory.svg. Exit code 1: a limit was missed, or a run did not do what it should.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import chart
import measure
import workload
from machine import describe_machine
from measure import Measured, Sample
from scenario import MOST_BYTES, Done, Scenario, build_growth

_RERUN_TIMES, _RERUN_MOST_S, _RERUN_MOST_BYTES = 3, 5.0, 500_000_000
_MOST_GROWTH = 2.0
_CURVE_POINTS = 240
_LIST = "PROVENANCE.tsv"
_MARKED_FROM = 10_000


def main() -> int:
    """Run all scenarios; 0 when each kept its limits."""
    options = _parse_options()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as folder:
        done = [_tell(*item) for item in _iter_done(options, Path(folder))]
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_facts(done), indent=1)
    (options.out / "memory.json").write_text(f"{text}\n", encoding="utf-8")
    (options.out / "memory.svg").write_text(_draw(done), encoding="utf-8")
    page = "\n".join(_iter_page(done))
    (options.out / "memory.md").write_text(f"{page}\n", encoding="utf-8")
    print(f"\n{page}")
    missed = [f"{scenario.name}: {fault}" for scenario, run in done for fault in scenario.faults(run)]
    missed += [
        f"{one.size:,} {one.series}: {one.ratio:.2f} times the memory of the smallest, allowed {_MOST_GROWTH:g}"
        for one in build_growth(done)
        if one.ratio > _MOST_GROWTH
    ]
    for sentence in missed:
        print(f"missed: {sentence}", file=sys.stderr)
    return 1 if missed else 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Memory of the driver, and the price of a rerun.")
    sizes = [1_000, 10_000, 100_000]
    parser.add_argument("--documents", type=int, nargs="+", default=sizes, help="small documents of each run")
    parser.add_argument("--fewer", type=int, default=10_000, help="of the run that is killed, resumed and run again")
    parser.add_argument("--pages", type=int, nargs="+", default=[10, 249, 2_415], help="pages of each PDF")
    parser.add_argument(
        "--corpus", type=Path, help=f"a folder with {_LIST}, if it is there: its longest PDF is run too"
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where memory.json, .md and .svg go")
    return parser.parse_args()


def _iter_done(options: argparse.Namespace, folder: Path) -> Iterator[Done]:
    """All runs, one after the other."""
    for n in sorted(options.documents):
        yield from _iter_many(folder / "many", n, is_last=n == max(options.documents))
        shutil.rmtree(folder / "many")
    yield from _iter_killed(folder / "fewer", options.fewer)
    for n in sorted(options.pages):
        place = folder / f"pages{n}"
        workload.write_pdf(place / "in" / "long.pdf", n)
        charted = n == max(options.pages)
        yield _run_pdf(
            place, "in/long.pdf", Scenario(f"one PDF of {n:,} pages", 1, charted=charted, series="pages", size=n)
        )
    if options.corpus is not None and (options.corpus / _LIST).is_file():
        n_pages, path = longest_pdf(options.corpus)
        yield _run_pdf(folder / "real", str(path), Scenario(f"one real PDF of {n_pages:,} pages", 1))


def _iter_many(folder: Path, n: int, *, is_last: bool) -> Iterator[Done]:
    """A run over so many documents; of the longest also its curve, and one with nothing new."""
    workload.write_documents(folder / "in", n)
    job = workload.write_project(folder, ["in"], n)
    name, expects = f"{n:,} small documents", {"documents": n}
    yield _run(job, Scenario(name, n, expects=expects, charted=is_last, series="documents", size=n))
    if is_last:
        expects = {"unchanged": n, "attempts": 0}
        yield _run(job, Scenario(f"rerun over {n:,}, nothing new", n, expects=expects, charted=True))


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


def _run_pdf(folder: Path, path: str, scenario: Scenario) -> Done:
    return _run(workload.write_project(folder, [path], 1), replace(scenario, expects={"documents": 1}))


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


def _iter_page(done: list[Done]) -> Iterator[str]:
    """Markdown: all runs, and how memory grows."""
    yield "# Memory of the driver\n"
    yield "Made by `make bench-memory`, with an engine that answers at once.\n"
    yield f"Machine: {', '.join(f'{name} {value}' for name, value in describe_machine(('pyarrow',)).items())}.\n"
    yield from _table(done)
    yield "\n| how many | | peak, MB | to the smallest | milliseconds each |"
    yield "|--:|---|--:|--:|--:|"
    for one in build_growth(done):
        each = f"{one.seconds_each * 1000:,.1f}"
        yield f"| {one.size:,} | {one.series} | {one.peak_mb:,.0f} | {one.ratio:.2f}x | {each} |"


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
    machine = describe_machine(("pyarrow",))
    growth = [asdict(one) for one in build_growth(done)]
    return {
        "machine": machine,
        "growth": growth,
        "curve_columns": ["seconds", "driver MB", "answers in the journal"],
        "runs": runs,
    }


def thinned(run: Measured) -> list[Sample]:
    """At most so many samples that the curve has; in each stretch the highest is kept, so that no peak is lost."""
    step = max(1, -(-len(run.samples) // _CURVE_POINTS))
    stretches = (run.samples[start : start + step] for start in range(0, len(run.samples), step))
    return [max(stretch, key=lambda sample: sample.driver_bytes) for stretch in stretches]


def _draw(done: list[Done]) -> str:
    panels = [_panel(scenario, run) for scenario, run in done if scenario.charted]
    return chart.draw(panels, "resident memory, MB", MOST_BYTES / 1e6, "limit 1 GB")


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
