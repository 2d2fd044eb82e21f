import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import memory
import pytest
import workload
from measure import Measured, Sample, measure_run
from scenario import Scenario, build_growth

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "memory.py"
FINE = Scenario("fine", 4, most_s=9.0, expects={"documents": 4})


def sample(engine_bytes: int = 0, reading_bytes: int = 0) -> Sample:
    return Sample(0.2, 100, engine_bytes, reading_bytes, 0)


def measured(documents: int = 4, exit_code: int = 0, peak_bytes: int = 10**8, seconds: float = 2.0) -> Measured:
    report = {"counts": {"documents": documents, "unchanged": 4, "attempts": 0}}
    return Measured(exit_code, seconds, 1.0, peak_bytes, peak_bytes, report, [sample()])


def test_it_runs_in_a_tiny_size(tmp_path: Path) -> None:
    sizes = ["--documents", "60", "20", "--fewer", "1000", "--pages", "3", "12"]
    command = [sys.executable, str(SCRIPT), *sizes, "--corpus", str(tmp_path / "absent"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    runs = json.loads((tmp_path / "memory.json").read_text())["runs"]
    faults = [fault for run in runs for fault in run["faults"] if " s, allowed" not in fault]  # a busy machine is slow
    assert faults == []
    assert [run["exit_code"] for run in runs] == [0, 0, 0, -9, 0, 0, 0, 0]
    assert all(run["peak_mb"] >= run["own_peak_mb"] > 0 for run in runs)
    reruns = [run for run in runs if run["name"].startswith("rerun")]  # so small a run may slip between two samples
    assert [run["engine_peak_mb"] for run in reruns] == [0, 0]
    assert "| one PDF of 12 pages |" in done.stdout
    growth = json.loads((tmp_path / "memory.json").read_text())["growth"]
    assert [(one["series"], one["size"]) for one in growth] == [
        ("documents", 20),
        ("documents", 60),
        ("pages", 3),
        ("pages", 12),
    ]
    assert (tmp_path / "memory.md").read_text() in done.stdout
    assert len(ElementTree.parse(tmp_path / "memory.svg").findall(".//{*}polyline")) == 5


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (measured(documents=3), "documents: 3, expected 4"),
        (measured(exit_code=70), "exit code 70, expected 0"),
        (measured(peak_bytes=1_100_000_000), "peak of 1,100 MB, allowed 1,000 MB"),
        (measured(seconds=9.5), "9.5 s, allowed 9 s"),
        (Measured(samples=[sample()]), "documents: None, expected 4"),
    ],
)
def test_a_fault_is_told(run: Measured, fault: str) -> None:
    assert list(FINE.faults(run)) == [fault]
    assert list(FINE.faults(measured())) == []


@pytest.mark.parametrize("busy", [sample(engine_bytes=1), sample(reading_bytes=1)])
def test_a_rerun_that_works_is_a_fault(busy: Sample) -> None:
    rerun = Scenario("rerun", 4, expects={"unchanged": 4})
    run = measured()
    assert list(rerun.faults(run)) == []
    run.samples.append(busy)
    assert list(rerun.faults(run)) == ["nothing is new, and yet it started an engine or a reading process"]


def test_a_run_that_ends_before_it_is_killed_is_a_fault() -> None:
    killed = Scenario("killed", 4)
    assert list(killed.faults(measured())) == ["exit code 0, expected -9"]


def test_growth_is_told_against_the_smallest_of_a_series() -> None:
    runs = {("documents", 100): 3 * 10**8, ("documents", 10): 2 * 10**8, ("", 0): 10**8, ("pages", 7): 5 * 10**8}
    done = [
        (Scenario("x", 1, series=series, size=size), measured(peak_bytes=peak)) for (series, size), peak in runs.items()
    ]
    found = [(one.series, one.size, one.ratio) for one in build_growth(done)]
    assert found == [("documents", 10, 1.0), ("documents", 100, 1.5), ("pages", 7, 1.0)]
    assert build_growth([]) == []


def test_the_longest_pdf_of_a_list(tmp_path: Path) -> None:
    lines = ["set\tfile\tpages", "pdf\ta.pdf\t9", "pdf\tb.pdf\t10", "pdf\tc.pdf\t", "cuad\td.pdf\t99"]
    (tmp_path / "PROVENANCE.tsv").write_text("\n".join(lines))
    assert memory.longest_pdf(tmp_path) == (10, (tmp_path / "pdf" / "b.pdf").resolve())


def test_a_thinned_curve_keeps_its_peak() -> None:
    samples = [Sample(number / 5, 10**9 if number == 777 else number, 0, 0, 0) for number in range(1000)]
    curve = memory.thinned(Measured(samples=samples))
    assert len(curve) <= 240
    assert max(found.driver_bytes for found in curve) == 10**9


def test_documents_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        workload.write_documents(tmp_path / name, 1001)
    first, second = (sorted((tmp_path / name).rglob("*.txt")) for name in ("a", "b"))
    assert len(first) == 1001
    assert len({path.parent for path in first}) == 2
    assert [path.read_text() for path in first] == [path.read_text() for path in second]


def test_a_job_that_is_wrong_is_measured_too(tmp_path: Path) -> None:
    run = measure_run(workload.write_project(tmp_path, ["absent"], 1))
    assert run.exit_code == 2
    assert run.report == {}
    assert "absent" in (tmp_path / "stderr.log").read_text()
