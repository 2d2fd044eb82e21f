"""How a run shows itself while it goes on: bars on a terminal, a plain line now and then elsewhere. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline.flow.watcher import Watcher
from pipeline.reports.ledger import Ledger

_LINE_EVERY_S = 15.0
_BARS_EVERY_S = 0.1


def open_watcher() -> Bars | Lines:
    """Bars when stderr is a terminal, lines when it is not."""
    return Bars() if sys.stderr.isatty() else Lines()


class Speed:
    """Tokens a second since the first prompt, and how long the rest will take at that speed."""

    def __init__(self) -> None:
        self._start_s: float | None = None

    def begin(self, ledger: Ledger) -> None:
        """Start the clock with the first prompt; to be called often, and costs nothing."""
        if self._start_s is None and ledger.n_prompts:
            self._start_s = time.monotonic()

    def text(self, ledger: Ledger, n_sources: int) -> str:
        """For instance "1,730 tokens/s, about 2:10 left"; empty before there is anything to measure."""
        done = ledger.n_prompt_tokens + ledger.n_output_tokens
        self.begin(ledger)
        elapsed = 0.0 if self._start_s is None else time.monotonic() - self._start_s
        if not done or elapsed < 1:
            return ""
        speed = done / elapsed
        seconds = int(self._tokens_left(ledger, n_sources) / speed)
        return f"{speed:,.0f} tokens/s, about {seconds // 60}:{seconds % 60:02d} left"

    def _tokens_left(self, ledger: Ledger, n_sources: int) -> float:
        """Those of the prompts that wait or run, and as many for each unread source as a read one had on average."""
        taken = _taken(ledger)
        known = ledger.n_prompt_tokens + ledger.n_pending_tokens
        unread = max(n_sources - ledger.n_unchanged - taken, 0) * (known / taken if taken else 0.0)
        return ledger.n_pending_tokens + unread


def _taken(ledger: Ledger) -> int:
    """Sources that this run took in."""
    return ledger.n_documents + ledger.n_source_rejects


class Lines(Watcher):
    """A line every few seconds, for logs."""

    def __init__(self) -> None:
        self._speed = Speed()
        self._next_s = time.monotonic() + _LINE_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def say(self, text: str) -> None:
        """One line at once."""
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def update(self, ledger: Ledger, n_sources: int) -> None:
        """A line of counts when it is time for one."""
        self._speed.begin(ledger)
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _LINE_EVERY_S
        speed = self._speed.text(ledger, n_sources)
        counts = (
            f"documents {ledger.n_unchanged + _taken(ledger)} of {n_sources}, chunks {ledger.n_chunks}, "
            f"answers {ledger.n_final} of {ledger.n_prompts}, rejects {ledger.rejects.total()}"
        )
        self.say(f"{counts}{', ' if speed else ''}{speed}")


class Bars(Watcher):
    """Two bars and a line that stay at the bottom of the terminal."""

    def __init__(self) -> None:
        self._speed = Speed()
        self._next_s = 0.0
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._documents = self._progress.add_task("documents", total=None, note="")
        self._answers = self._progress.add_task("answers", total=None, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(text, highlight=False, markup=False)

    def update(self, ledger: Ledger, n_sources: int) -> None:
        """Move the bars, at most ten times a second."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _BARS_EVERY_S
        handled = ledger.n_unchanged + _taken(ledger)
        lost = ledger.rejects.total()
        note = f"{ledger.n_chunks} chunks" + (f", {lost} rejected" if lost else "")
        self._progress.update(self._documents, completed=handled, total=n_sources, note=note)
        speed = self._speed.text(ledger, n_sources)
        self._progress.update(self._answers, completed=ledger.n_final, total=ledger.n_prompts or None, note=speed)
