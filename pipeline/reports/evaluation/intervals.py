"""How sure a figure is: intervals of 95 % for a share, and for anything that is computed from counts of documents."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Counted = NDArray[np.int64]
Interval = tuple[float, float]

N_RESAMPLES = 2_000
_BLOCK = 200
"""Resamples that are in memory at once."""
_SEED = 20_250_131
_Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""


def wilson(n_hits: int, n: int) -> Interval | None:
    """The score interval of a share of independent trials; None for no trial.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212.
    """
    if not n:
        return None
    share, z2 = n_hits / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return (0.0 if n_hits == 0 else low, 1.0 if n_hits == n else high)


def bootstrap(counts: Counted, statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval | None:
    """The percentile interval of a statistic of summed counts, documents drawn again with replacement.

    Documents are drawn, not values, since the values of one document are not independent. Documents with the same
    counts are drawn together, by a multinomial distribution, which is the same thing and needs no list of them. It is
    seeded: the same counts give the same interval.

    Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.

    Args:
        counts: One line a document, shape (documents, counts).
        statistic: From sums of shape (resamples, counts) to values of shape (resamples,); NaN where it is undefined.

    Returns:
        The 2.5th and the 97.5th percentile of where it is defined; None when that is nowhere.
    """
    if not len(counts):
        return None
    kinds, n_each = np.unique(counts, axis=0, return_counts=True)
    random, shares = np.random.default_rng(_SEED), n_each / len(counts)
    blocks = (random.multinomial(len(counts), shares, size=_BLOCK) for _ in range(N_RESAMPLES // _BLOCK))
    values = statistic(np.concatenate([block @ kinds for block in blocks]).astype(np.float64))
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)
