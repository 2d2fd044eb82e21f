import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import compare
import pytest
from compare import Comparison, Contender, Figures, Page
from machine import describe_machine


def giving(*seconds: float) -> Callable[[], Figures]:
    """A contender's run that takes these times, one after the other."""
    left = iter(seconds)
    return lambda: {"seconds": next(left)}


def three_rounds(at_most: float | None = None, at_least: float | None = None) -> Comparison:
    base = Contender("base", giving(2.0, 4.0, 3.0))
    ours = Contender("ours", giving(1.0, 3.0, 3.0), at_most, at_least)
    return compare.compare("Work", [base, ours], "base", 3)


def test_each_round_begins_with_another_contender() -> None:
    order: list[str] = []
    clock = count(1)

    def noting(name: str) -> Callable[[], Figures]:
        def run() -> Figures:
            order.append(name)
            return {"seconds": next(clock)}

        return run

    compare.compare("Work", [Contender(name, noting(name)) for name in "abc"], "b", 4)
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"


def test_a_ratio_is_made_round_by_round() -> None:
    found = three_rounds()
    assert found.values("ours", "seconds") == [1.0, 3.0, 3.0]
    assert found.ratio("ours") == compare.Ratio(median=0.75, least=0.5, most=1.0)
    assert found.ratio("base") == compare.Ratio(1.0, 1.0, 1.0)
    assert found.noise == compare.Ratio(median=1.0, least=2 / 3, most=4 / 3)


def test_the_order_of_a_round_mixes_no_figures_up() -> None:
    contenders = [Contender(name, giving(*[own] * 5)) for name, own in (("a", 1.0), ("b", 2.0), ("c", 4.0))]
    found = compare.compare("Work", contenders, "b", 5)
    assert [str(found.ratio(name)) for name in "ac"] == ["0.500x (0.500 to 0.500)", "2x (2 to 2)"]


@pytest.mark.parametrize(
    ("at_most", "at_least", "missed"),
    [
        (None, None, []),
        (0.75, None, []),
        (0.74, None, ["Work: ours is 0.750x base, goal at most 0.74x"]),
        (None, 0.75, []),
        (None, 0.76, ["Work: ours is 0.750x base, goal at least 0.76x"]),
    ],
)
def test_a_missed_goal_is_told(
    at_most: float | None, at_least: float | None, missed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = three_rounds(at_most, at_least)
    assert list(found.missed()) == missed
    assert compare.write_page(Page("p", "P", "make p", [found]), tmp_path) == (1 if missed else 0)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("missed")] == [
        f"missed: {sentence}" for sentence in missed
    ]


def test_the_tables() -> None:
    rounds: list[dict[str, Figures]] = [
        {"base": {"seconds": 10.0}, "ours": {"seconds": 12.5, "pages/s": 123_456.7}, "other": {"unseen": 1.0}}
    ]
    found = Comparison("Reading", "base", [Contender("base", giving()), Contender("ours", giving())], "seconds", rounds)
    assert list(compare.build_table(found)) == [
        "| Reading | seconds | pages/s | seconds to base | goal |",
        "|---|--:|--:|--:|--:|",
        "| base | 10 |  | itself: 1.000x (1.000 to 1.000) |  |",
        "| ours | 12.5 | 123,457 | 1.250x (1.250 to 1.250) |  |",
    ]


def test_the_page_and_its_figures_say_the_same(tmp_path: Path) -> None:
    found = three_rounds(at_most=0.9)
    found.notes.append("Of nothing.")
    page = Page("name", "A title", "make bench-name", [found], ["A note."], packages=["pytest", "no-such-package"])
    assert compare.write_page(page, tmp_path / "made") == 0
    text = (tmp_path / "made" / "name.md").read_text()
    assert text.startswith("# A title\n\nMade by `make bench-name`.")
    assert all(words in text for words in ("A note.\n", "3 rounds. Of nothing.\n", f", pytest {pytest.__version__}."))
    facts = json.loads((tmp_path / "made" / "name.json").read_text())
    assert facts["machine"] == describe_machine(["pytest"])
    (table,) = facts["comparisons"]
    assert [each["figures"] for each in table["contenders"]] == [{"seconds": [2, 4, 3]}, {"seconds": [1, 3, 3]}]
    assert table["contenders"][1]["ratio"] == {"median": 0.75, "least": 0.5, "most": 1}
    assert table["contenders"][0]["ratio"] == {"median": 1, "least": 0.6667, "most": 1.3333}


@pytest.mark.parametrize(
    ("names", "baseline", "times"), [(["a", "b"], "c", 1), (["a", "a"], "a", 1), (["a", "b"], "a", 0), ([], "a", 1)]
)
def test_what_cannot_be_compared_is_refused_before_it_runs(names: list[str], baseline: str, times: int) -> None:
    with pytest.raises(ValueError, match="cannot compare"):
        compare.compare("Work", [Contender(name, giving()) for name in names], baseline, times)


def test_a_machine_is_described_without_its_name(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast One @ 3 GHz\nprocessor\t: 1\nmodel name\t: Fast Two\n")
    described = describe_machine(["pytest"], cpuinfo)
    assert list(described) == ["cores", "processor", "memory", "system", "Python", "pytest"]
    assert described["processor"] == "Fast One @ 3 GHz"
    assert re.fullmatch(r"[1-9]\d* GB", described["memory"])
    cpuinfo.write_text("processor\t: 0\nmodel name\t:\n")
    assert describe_machine([], cpuinfo)["processor"] == describe_machine([], tmp_path / "absent")["processor"] != ""
