"""What a measured run should do and may take, and how the memory of runs that are alike grows with what there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measure import Measured

MOST_BYTES = 1_000_000_000
_KILLED = -9


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
        series: What it has more or less of than others that are alike: "documents", "pages"; empty: nothing.
        size: How many.
    """

    name: str
    n_documents: int
    most_bytes: int = MOST_BYTES
    most_s: float | None = None
    expects: dict[str, int] | None = None
    charted: bool = False
    series: str = ""
    size: int = 0

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


@dataclass(frozen=True, slots=True)
class Growth:
    """One run of a series, against the smallest.

    Attributes:
        series: What there is more of: "documents", "pages".
        size: How many.
        peak_mb: Highest resident memory of the driver, in millions of bytes.
        ratio: That of the smallest is 1.
        seconds_each: Wall-clock time by document or page.
    """

    series: str
    size: int
    peak_mb: float
    ratio: float
    seconds_each: float


def build_growth(done: Sequence[Done]) -> list[Growth]:
    """The runs of each series, the smallest first."""
    found = []
    for series in dict.fromkeys(scenario.series for scenario, _ in done if scenario.series):
        runs = sorted(((s.size, run) for s, run in done if s.series == series), key=lambda item: item[0])
        least = runs[0][1].peak_bytes or 1
        found += [
            Growth(series, size, run.peak_mb, run.peak_bytes / least, run.seconds / max(size, 1)) for size, run in runs
        ]
    return found
