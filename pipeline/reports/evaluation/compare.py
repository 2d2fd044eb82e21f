"""Two output folders against the same gold: what got better, what got worse, and whether one may replace the other.

The limits are those of a migration to another model: every answer valid JSON, at least 95 % of what is annotated as
the gold has it, and the 95th percentile of latency within 20 % of what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.reports.evaluation.judging import MOST_EXAMPLES, Document, Judged
from pipeline.reports.evaluation.matching import Pair
from pipeline.reports.evaluation.scoring import compare_f1, score, stack
from pipeline.reports.evaluation.telling import limit_text, told
from pipeline.schema.json_text import JSON

MIN_VALID = 1.0
MIN_ACCEPTABLE = 0.95
MAX_LATENCY = 1.2


def compare_fields(before: Judged, now: Judged, uris: Mapping[str, str]) -> dict[str, object]:
    """By field how the same documents came out: F1, its difference, and the documents that changed."""
    return {name: _compare_field(before[name], now[name], uris) for name in now if name in before}


def _compare_field(
    before: Mapping[str, Document], now: Mapping[str, Document], uris: Mapping[str, str]
) -> dict[str, object]:
    common = [doc_id for doc_id in now if doc_id in before]
    sides = [stack([side[doc_id].normalized for doc_id in common]) for side in (before, now)]
    changes: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for doc_id in common:
        n_more = now[doc_id].normalized.n_mistakes - before[doc_id].normalized.n_mistakes
        if n_more:
            change = _change(now[doc_id].pairs, before[doc_id].pairs)
            changes[n_more < 0].append({"doc_id": doc_id, "uri": uris.get(doc_id), **change})
    return {
        "before": score(sides[0])["f1"],
        "now": score(sides[1])["f1"],
        "difference": compare_f1(*sides),
        "n_better": len(changes[True]),
        "n_worse": len(changes[False]),
        "better": changes[True][:MOST_EXAMPLES],
        "worse": changes[False][:MOST_EXAMPLES],
    }


def _change(now: Sequence[Pair], before: Sequence[Pair]) -> dict[str, JSON]:
    return {
        "gold": _shown([(pair.item, pair.gold) for pair in now]),
        "before": _shown([(pair.item, pair.found) for pair in before]),
        "now": _shown([(pair.item, pair.found) for pair in now]),
    }


def _shown(values: Sequence[tuple[str | None, JSON]]) -> JSON:
    """The only value; or those of all items that have one, by item."""
    if len(values) == 1 and values[0][0] is None:
        return values[0][1]
    return {str(item): value for item, value in values if value is not None}


def compare_answering(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The parts about latency and tokens."""
    was, is_now = before["latency_s"], now["latency_s"]
    tokens = {"before": before["tokens"], "now": now["tokens"]}
    for name in ("input", "output"):
        tokens[f"{name}_ratio"] = _ratio(now["tokens"][name], before["tokens"][name])
    ratio = _ratio(is_now["p95"], was["p95"]) if was and is_now else None
    return {"latency_s": {"before": was, "now": is_now, "p95_ratio": ratio}, "tokens": tokens}


def judge_migration(
    valid_ratio: Sequence[float | None] | None, judged: Sequence[Judged], p95_ratio: float | None
) -> list[dict[str, object]]:
    """Each limit of a migration with what was found, and whether it is kept; what cannot be told is not.

    Args:
        valid_ratio: Of the answers now, from `answering`.
        judged: What became of the annotated values now, by task.
        p95_ratio: Latency now, as a multiple of what it was.
    """
    every = [document.normalized for task in judged for documents in task.values() for document in documents.values()]
    right = sum(one.correct + one.absent for one in every)
    n = right + sum(one.n_mistakes for one in every)
    acceptable = right / n if n else None
    valid = None if valid_ratio is None else valid_ratio[0]
    return [
        _limit(
            "valid_json", MIN_VALID, valid, f"{_percent(valid, MIN_VALID)} of the answers are valid JSON of the schema"
        ),
        _limit(
            "acceptable",
            MIN_ACCEPTABLE,
            acceptable,
            f"{_percent(acceptable, MIN_ACCEPTABLE)} of {n:,} annotated values are as the gold has them",
        ),
        _limit(
            "latency",
            MAX_LATENCY,
            p95_ratio,
            "the 95th percentile of latency is "
            + ("unknown" if p95_ratio is None else f"{told(p95_ratio, MAX_LATENCY, 2)} times what it was"),
        ),
    ]


def _limit(name: str, limit: float, found: float | None, what: str) -> dict[str, object]:
    is_most = name == "latency"
    passes = found is not None and (found <= limit if is_most else found >= limit)
    wanted = f"at most {limit_text(limit)} times" if is_most else f"at least {limit_text(100 * limit)} %"
    sentence = f"{'yes' if passes else 'no'}: {what} ({wanted})."
    return {"name": name, "limit": limit, "found": found, "passes": passes, "sentence": sentence}


def _percent(ratio: float | None, limit: float) -> str:
    return "an unknown share" if ratio is None else f"{told(100 * ratio, 100 * limit, 1)} %"


def _ratio(now: float, before: float) -> float | None:
    return now / before if before else None
