"""How the model answered, whatever it said: valid JSON, quotes that are there, seconds, tokens. No gold is needed.

In: the current responses, evidence and documents of an output folder. Out: the parts of the report about them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.errors import RejectCode
from pipeline.reports.evaluation.rows import Found
from pipeline.reports.evaluation.scoring import share

SPLIT = "split"
"""The status of an answer whose question was put again to the halves of its chunk."""
_VALID = {"record", *(code.value for code in RejectCode if code.keeps_values and code is not RejectCode.SALVAGED)}
_TOKENS = {"input": "n_prompt_tokens", "cached": "n_cached_tokens", "output": "n_output_tokens"}
_ASKED = ("doc_id", "task", "chunk_index", "part", "attempt", "status", "duration_s", *_TOKENS.values())
_CITED = ("task", "is_in_row", "is_verified", "grade", "agreement")


@dataclass(slots=True)
class _Question:
    first: tuple[int, str] = (1 << 31, "")
    is_valid: bool = False
    is_split: bool = False


@dataclass(slots=True)
class _Asked:
    """What the responses add up to."""

    questions: dict[tuple[object, ...], _Question] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    tokens: Counter[str] = field(default_factory=Counter)


def build_answering(found: Found, tasks: Collection[str]) -> dict[str, Any]:
    """The report's "answers", "evidence", "latency_s" and "tokens".

    Args:
        found: The output folder.
        tasks: Of which tasks.

    Raises:
        OutputError: A file cannot be read.
    """
    asked = _add_up(_lines(found, "responses", _ASKED, tasks))
    documents = found.tables.get("documents")
    return {
        "answers": _answers(asked),
        "evidence": _evidence(_lines(found, "evidence", _CITED, tasks)),
        "latency_s": latency(asked.seconds),
        "tokens": _tokens(asked.tokens, 0 if documents is None else documents.n_rows),
    }


def _lines(found: Found, table: str, names: Collection[str], tasks: Collection[str]) -> Iterable[Mapping[str, Any]]:
    view = found.tables.get(table)
    lines = view.iter_rows(lambda name: name in names) if view is not None else ()
    return (line for line in lines if line["task"] in tasks)


def _add_up(lines: Iterable[Mapping[str, Any]]) -> _Asked:
    asked = _Asked()
    for line in lines:
        key = line["doc_id"], line["task"], line["chunk_index"], line["part"]
        question = asked.questions.setdefault(key, _Question())
        question.first = min(question.first, (line["attempt"], line["status"]))
        question.is_valid |= line["status"] in _VALID
        question.is_split |= line["status"] == SPLIT
        asked.seconds.append(line["duration_s"])
        asked.tokens.update({name: line[column] for name, column in _TOKENS.items()})
    return asked


def _answers(asked: _Asked) -> dict[str, object]:
    """Of the questions that stood to the end one answer each; first attempts of those that were split, too."""
    final = [question for question in asked.questions.values() if not question.is_split]
    n_valid = sum(question.is_valid for question in final)
    n_first = sum(question.first[1] in _VALID for question in asked.questions.values())
    return {
        "n_questions": len(final),
        "n_valid": n_valid,
        "valid_ratio": share(n_valid, len(final)),
        "n_first_valid": n_first,
        "first_valid_ratio": share(n_first, len(asked.questions)),
        "n_attempts": len(asked.seconds),
    }


def _evidence(lines: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    cited = Counter((line["is_in_row"], line["is_verified"], line["grade"], line["agreement"]) for line in lines)
    n_verified = sum(n for (_, verified, _, _), n in cited.items() if verified)
    n_in_row = sum(n for (in_row, _, _, _), n in cited.items() if in_row)
    n_both = sum(n for (in_row, verified, _, _), n in cited.items() if in_row and verified)
    grades: Counter[str] = Counter()
    agreement: Counter[str] = Counter()
    for (_, _, grade, agrees), n in sorted(cited.items()):
        grades[grade] += n
        agreement[agrees] += n
    return {
        "n_cited": cited.total(),
        "n_verified": n_verified,
        "ratio": share(n_verified, cited.total()),
        "n_in_row": n_in_row,
        "n_in_row_verified": n_both,
        "in_row_ratio": share(n_both, n_in_row),
        "grades": dict(grades),
        "agreement": dict(agreement),
    }


def latency(seconds: Collection[float]) -> dict[str, float] | None:
    """Percentiles of the seconds that answers took, between neighbours by their distance; None for no answer."""
    if not seconds:
        return None
    p50, p95, p99, highest = (float(value) for value in np.percentile(list(seconds), [50, 95, 99, 100]))
    return {"n": len(seconds), "p50": p50, "p95": p95, "p99": p99, "max": highest}


def _tokens(tokens: Mapping[str, int], n_documents: int) -> dict[str, object]:
    totals = {name: tokens.get(name, 0) for name in _TOKENS}
    per_document = {name: total / n_documents for name, total in totals.items()} if n_documents else None
    return {**totals, "n_documents": n_documents, "per_document": per_document}
