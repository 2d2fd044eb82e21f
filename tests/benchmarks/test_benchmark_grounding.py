"""The benchmark of finding quotes: what it writes, what it adds up, and that it can fail."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grounding
from disturbing import ABSENT, DISTURBANCES
from grounding import Line, Speed

RIGHT = Line("en", "typos", 10, 10, 0, 0, 0, 0, 100.0)
ABSENCE = Line("en", "invented", 10, 10, 0, 0, 0, 0, 100.0)
FAST = Speed(1000, 10_000, 0.1, 4.9)


def test_it_runs_without_a_corpus(tmp_path: Path) -> None:
    options = ["--each", "3", "--quotes", "200", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, grounding.__file__, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "grounding.json").read_text())
    assert {line["language"] for line in found["lines"]} == {"en", "fr", "de", "zh", "ar", "hi"}
    elsewhere = {"ligatures", "of another document"}  # which a page of prose has no place for
    assert {line["kind"] for line in found["lines"]} >= (set(DISTURBANCES) | set(ABSENT)) - elsewhere
    assert all(line["n"] == sum(line[name] for name in grounding._OUTCOMES) for line in found["lines"])
    assert found["speed"]["n_quotes"] == 200
    assert [one["n_quotes"] for one in found["growth"]] == [found["growth"][0]["n_quotes"]] * 4
    page = (tmp_path / "grounding.md").read_text()
    assert "| all | typos | 18 | 18 | 0 | 0 | 0 | 0 |" in page


def test_a_goal_that_is_missed_is_said() -> None:
    assert grounding.find_missed_goals([RIGHT, ABSENCE], FAST) == []
    assert len(grounding.find_missed_goals([RIGHT, ABSENCE], replace(FAST, total_s=5.0))) == 1
    assert len(grounding.find_missed_goals([RIGHT, ABSENCE], replace(FAST, n_quotes=1000))) == 1
    assert len(grounding.find_missed_goals([replace(RIGHT, elsewhere=1), ABSENCE], FAST)) == 1
    assert len(grounding.find_missed_goals([RIGHT, replace(ABSENCE, false=1)], FAST)) == 1


def test_lines_are_added_up_by_kind_and_by_language() -> None:
    lines = [RIGHT, replace(RIGHT, language="fr", n=30, right=29, missed=1, microseconds=200.0)]
    assert grounding.sum_by("kind", lines) == [
        replace(RIGHT, language="all", n=40, right=39, missed=1, microseconds=175.0)
    ]
    assert [line.language for line in grounding.sum_by("language", lines)] == ["en", "fr"]
