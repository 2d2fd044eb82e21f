"""Figures and their intervals against numbers written down, and against other ways to compute them."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reports.evaluation.intervals import N_RESAMPLES, bootstrap, wilson
from pipeline.reports.evaluation.matching import Counts
from pipeline.reports.evaluation.scoring import compare_f1, f1_of_sums, score, share, stack


def test_scores_by_hand() -> None:
    found = score(stack([Counts(correct=8, wrong=1, omitted=2, hallucinated=3, absent=4)]))
    assert found["precision"][0] == 8 / 12  # type: ignore[index]
    assert found["recall"][0] == 8 / 11  # type: ignore[index]
    assert found["f1"][0] == pytest.approx(2 / (12 / 8 + 11 / 8))  # type: ignore[index]
    assert found["support"] == 11


@pytest.mark.parametrize(
    ("counts", "precision", "recall", "f1"),
    [
        (Counts(absent=3), None, None, None),
        (Counts(omitted=2), None, 0.0, 0.0),
        (Counts(hallucinated=2), 0.0, None, 0.0),
        (Counts(wrong=2), 0.0, 0.0, 0.0),
        (Counts(correct=2), 1.0, 1.0, 1.0),
    ],
)
def test_what_has_nothing_to_divide_by(
    counts: Counts, precision: float | None, recall: float | None, f1: float | None
) -> None:
    found = score(stack([counts]))
    for name, wanted in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert (found[name] and found[name][0]) == wanted  # type: ignore[index]


@pytest.mark.parametrize(
    ("n_hits", "n", "low", "high"),
    [(8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (50, 100, 0.4038315, 0.5961685)],
)
def test_wilson_by_the_formula(n_hits: int, n: int, low: float, high: float) -> None:
    assert wilson(n_hits, n) == pytest.approx((low, high), abs=2e-7)


@settings(deadline=None)
@given(st.integers(1, 10_000), st.data())
def test_wilson_holds_the_share(n: int, data: st.DataObject) -> None:
    n_hits = data.draw(st.integers(0, n))
    value = share(n_hits, n)
    assert value is not None
    assert 0 <= value[1] <= value[0] <= value[2] <= 1  # type: ignore[operator]
    z2 = 1.959963984540054**2  # both ends solve (p - share)^2 = z^2 p (1 - p) / n
    for end in (value[1], value[2]):
        assert isinstance(end, float)
        assert (end - n_hits / n) ** 2 == pytest.approx(z2 * end * (1 - end) / n, abs=1e-9)


def test_the_bootstrap_is_that_of_drawn_documents() -> None:
    """Against a plain one, which draws indices of documents."""
    random = np.random.default_rng(5)
    counts = stack([Counts(int(c), int(w), int(o), int(h), 0) for c, w, o, h in random.integers(0, 3, size=(60, 4))])
    drawn = counts[random.integers(0, 60, size=(20_000, 60))].sum(axis=1).astype(np.float64)
    low, high = np.percentile(f1_of_sums(drawn), [2.5, 97.5])
    assert bootstrap(counts, f1_of_sums) == pytest.approx((low, high), abs=0.01)
    assert bootstrap(counts, f1_of_sums) == bootstrap(counts[::-1], f1_of_sums)


def test_intervals_of_little() -> None:
    assert bootstrap(stack([]), f1_of_sums) is None
    assert bootstrap(stack([Counts(correct=2, wrong=1)]), f1_of_sums) == pytest.approx((4 / 6, 4 / 6))
    assert bootstrap(stack([Counts(absent=1)] * 5), f1_of_sums) is None
    assert N_RESAMPLES == 2_000


def test_a_sure_difference_is_told_from_a_doubtful_one() -> None:
    right, wrong = Counts(correct=1), Counts(wrong=1)
    sure = compare_f1(stack([wrong] * 30), stack([right] * 30))
    assert sure == [1.0, 1.0, 1.0]
    doubtful = compare_f1(stack([right, wrong] * 5), stack([wrong, right] * 5))
    assert doubtful is not None
    assert doubtful[0] == 0
    assert doubtful[1] < 0 < doubtful[2]  # type: ignore[operator]
    assert compare_f1(stack([Counts(absent=1)]), stack([right])) is None


COUNTS = st.lists(st.builds(Counts, *[st.integers(0, 4)] * 5), min_size=1, max_size=12)


@settings(deadline=None)
@given(COUNTS)
def test_scores_are_those_of_exact_fractions(counts: list[Counts]) -> None:
    found = score(stack(counts))
    correct, wrong, omitted, hallucinated, _ = (sum(one) for one in zip(*counts, strict=True))
    n_found, n_gold = correct + wrong + hallucinated, correct + wrong + omitted
    assert found["support"] == n_gold
    for name, n in (("precision", n_found), ("recall", n_gold)):
        assert (found[name] is None) == (n == 0)
        if n:
            assert found[name][0] == float(Fraction(correct, n))  # type: ignore[index]
    if not correct:
        assert (found["f1"] is None) == (n_found + n_gold == 0)
    else:
        precision, recall = Fraction(correct, n_found), Fraction(correct, n_gold)
        assert math.isclose(found["f1"][0], 2 * precision * recall / (precision + recall))  # type: ignore[index]
    if found["f1"] is not None:
        f1: list[float] = found["f1"]  # type: ignore[assignment]
        assert 0 <= f1[1] <= f1[2] <= 1
