"""Counts of outcomes in, precision, recall and F1 with their intervals out. Pure.

    precision = correct / (correct + wrong + hallucinated)
    recall    = correct / (correct + wrong + omitted)
    F1        = 2 correct / (2 correct + 2 wrong + hallucinated + omitted)

F1 so written is their harmonic mean, and 0 where nothing is correct and something is not. What has nothing to divide by
is undefined, None: precision where nothing was found, recall where the gold has nothing, F1 where neither has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.reports.evaluation.intervals import Counted, Interval, bootstrap, wilson
from pipeline.reports.evaluation.matching import Counts

Value = list[float | None] | None
"""A figure with its interval: [value, low, high]; None where it is undefined."""
_N = len(Counts._fields)


def score(counts: Counted) -> dict[str, object]:
    """Precision, recall and F1 of a field.

    Args:
        counts: One line a document, shape (documents, 5), in the order of `Counts`.

    Returns:
        "precision", "recall", "f1": each [value, low, high] or None; "support": values that the gold has.
    """
    correct, wrong, omitted, hallucinated, _ = (int(total) for total in counts.sum(axis=0))
    return {
        "precision": share(correct, correct + wrong + hallucinated),
        "recall": share(correct, correct + wrong + omitted),
        "f1": value(f1(counts), bootstrap(counts, f1_of_sums)),
        "support": correct + wrong + omitted,
    }


def share(n_hits: int, n: int) -> Value:
    """A share of n with its interval; None for n = 0."""
    return value(n_hits / n if n else None, wilson(n_hits, n))


def value(found: float | None, interval: Interval | None) -> Value:
    """A figure as the report has it."""
    if found is None:
        return None
    return [found, *(interval or (None, None))]


def f1(counts: Counted) -> float | None:
    """F1 of all documents together."""
    found = float(f1_of_sums(counts.sum(axis=0, keepdims=True).astype(np.float64))[0])
    return None if np.isnan(found) else found


def f1_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of each line of sums, shape (lines, 5); NaN where it is undefined."""
    correct, wrong, omitted, hallucinated = (sums[:, i] for i in range(4))
    whole = 2 * correct + 2 * wrong + omitted + hallucinated
    found: NDArray[np.float64] = np.divide(2 * correct, whole, out=np.full(len(sums), np.nan), where=whole > 0)
    return found


def compare_f1(before: Counted, now: Counted) -> Value:
    """The difference of two F1 over the same documents, now less before, with the interval of pairs.

    Args:
        before: Counts, shape (documents, 5).
        now: Those of the same documents, in the same order.
    """
    both = np.concatenate([before, now], axis=1)

    def difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return f1_of_sums(sums[:, _N:]) - f1_of_sums(sums[:, :_N])

    found = float(difference(both.sum(axis=0, keepdims=True).astype(np.float64))[0])
    return None if np.isnan(found) else value(found, bootstrap(both, difference))


def stack(counts: Sequence[Counts]) -> Counted:
    """Counts of documents as one array, shape (documents, 5)."""
    return np.array(counts, dtype=np.int64).reshape(len(counts), _N)
