"""Who is told how a run goes on, without the run knowing who it is."""

from __future__ import annotations

from typing import Protocol

from pipeline.reports.ledger import Ledger


class Watcher(Protocol):
    """Told from the run's own thread, often; must return at once."""

    def say(self, text: str) -> None:
        """Something a person should read now: a phase began, something was repaired."""

    def update(self, ledger: Ledger, n_sources: int) -> None:
        """The counts so far, of `n_sources` in all."""
