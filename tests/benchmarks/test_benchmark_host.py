"""The host's ceiling: the command in a tiny size, and what is made of its figures."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import bars
import host
import pytest
import stages

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "host.py"


def ceiling(**seconds: float) -> host.Ceiling:
    spent = {name.replace("_", " "): value for name, value in seconds.items()}
    return host.Ceiling("made up", [2.0, 1.0, 4.0], 10, 10, 20_000, spent, {})


def test_it_runs_in_a_tiny_size(tmp_path: Path) -> None:
    sizes = ["--documents", "40", "--long", "1", "--pdfs", "1", "--pages", "3", "--times", "1"]
    command = [sys.executable, str(SCRIPT), *sizes, "--corpus", str(tmp_path / "absent"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    cases = json.loads((tmp_path / "host.json").read_text())["cases"]
    assert [case["n_documents"] for case in cases] == [40, 1, 1]
    assert 120_000 < cases[1]["n_prompt_tokens"] < 131_072
    assert cases[1]["n_prompts"] == 1  # the whole document in one window
    for case in cases:
        assert sum(case["shares"].values()) == pytest.approx(1, abs=0.01)
        assert case["stages"][stages.READING] > 0
        assert {"MainThread", "intake"} <= set(case["threads"])
        assert {stages.CUTTING, stages.TOKENIZING, "validation", "merging", "tables"} < set(case["shares"])
    assert "| 1 PDFs of 3 pages |" in (tmp_path / "host.md").read_text()
    assert len(ElementTree.parse(tmp_path / "host.svg").findall(".//{*}rect[@class='bar']")) >= 3 * 5


def test_rates_are_of_the_median_run() -> None:
    one = ceiling(tokenizing=0.5, prompts=0.0)
    assert (one.documents_per_s, one.tokens_per_s) == (5.0, 10_000.0)
    assert one.core_tokens_per_s(stages.TOKENIZING) == 40_000
    assert one.core_tokens_per_s(stages.PROMPTS) == 0


def test_neither_the_start_nor_the_engine_has_a_share() -> None:
    one = ceiling(tokenizing=3.0, keys=1.0)
    one.stages.update({stages.START: 100.0, stages.ENGINE: 50.0})
    assert one.shares() == {"tokenizing": 0.75, "keys": 0.25}


def test_a_stage_within_another_counts_for_itself_alone() -> None:
    watch = stages.Stopwatch()

    def burn(seconds: float) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    inner = watch._timed(lambda: burn(0.05), "inner")

    def run() -> None:
        inner()
        time.sleep(0.05)
        burn(0.02)

    thread = threading.Thread(target=watch._timed(run, "outer"), name="other")
    thread.start()
    thread.join()
    assert watch.threads["other"]["inner"] == pytest.approx(0.05, abs=0.01)
    assert watch.threads["other"]["outer"] == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize("place", stages.STAGES)
def test_what_is_timed_is_there(place: str) -> None:
    owner, name = stages.find(place)
    assert callable(getattr(owner, name))


def test_bars_are_as_long_as_their_shares() -> None:
    svg = bars.draw([bars.Panel("a & b", "x", {"one": 0.6, "two": 0.3}), bars.Panel("c", "y", {"two": 0.6})])
    root = ElementTree.fromstring(svg)
    lengths = [float(bar.get("width", "")) for bar in root.findall(".//{*}rect[@class='bar']")]
    assert lengths == [lengths[0], pytest.approx(lengths[0] / 2), 0.0, lengths[0]]
    assert [text.text for text in root.findall(".//{*}text")].count("two") == 1
    ElementTree.fromstring(bars.draw([]))
