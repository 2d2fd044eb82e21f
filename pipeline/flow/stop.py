"""When a run has to end before its work does: somebody asked, or its time is nearly over.

A run that is told to stop submits nothing more, waits for what is in flight, commits what is whole and says what is
left. Times are monotonic: setting the clock changes nothing.
"""

from __future__ import annotations

import time

_COMMIT_SHARE = 0.02
_COMMIT_S = (2.0, 300.0)
_DRAIN_FACTOR = 1.25


class Stop:
    """Asked by the run wherever it could go on; told by a signal handler or by the clock.

    Attributes:
        reason: Why the run has to end, for people; None while it may go on.
        is_committed: Set by the run: what it did is committed, and all that is left is to end its processes.
    """

    def __init__(self, time_limit_s: float | None = None) -> None:
        """Start the clock.

        Args:
            time_limit_s: Wall-clock seconds from now by which the run is to be over, commit included; None: no limit.
        """
        self.reason: str | None = None
        self.is_committed = False
        self._limit_s = time_limit_s
        self._start_s = time.monotonic()
        self._longest_answer_s = 0.0

    def ask(self, reason: str) -> None:
        """End the run as soon as it can be ended well. Safe in a signal handler; the first reason stays."""
        self.reason = self.reason or reason

    def note_answer(self, duration_s: float) -> None:
        """An answer took so long: the reserve for draining follows the longest."""
        self._longest_answer_s = max(self._longest_answer_s, duration_s)

    def stopped(self) -> bool:
        """Whether to begin nothing more."""
        if self.reason is None and self._left_s() <= self._commit_s + _DRAIN_FACTOR * self._longest_answer_s:
            self.reason = f"time limit of {spell_duration(self._limit_s or 0)}"
        return self.reason is not None

    def must_leave(self) -> bool:
        """Whether there is only time for the commit: what is still in flight is given up."""
        return self._left_s() <= self._commit_s

    @property
    def _commit_s(self) -> float:
        least, most = _COMMIT_S
        return min(most, max(least, _COMMIT_SHARE * (self._limit_s or 0)))

    def _left_s(self) -> float:
        if self._limit_s is None:
            return float("inf")
        return self._limit_s - (time.monotonic() - self._start_s)


def spell_duration(seconds: float) -> str:
    """For instance "3h50m", "45s", "1d2h"."""
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        n, left = divmod(left, size)
        if n:
            parts.append(f"{n}{unit}")
    return "".join(parts) or "0s"
