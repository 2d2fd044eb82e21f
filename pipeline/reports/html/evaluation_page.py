"""The page of an evaluation: what `evaluation.json` says, for people.

The file is written by `pipeline eval`; a part that an older or newer version of it leaves out is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import JobError
from pipeline.reports.html.charts import WIDTH, Share, build_shares
from pipeline.reports.html.render import render_page
from pipeline.reports.html.wording import value_text

OUTCOMES = {
    "correct": ("the value of the gold file", "a"),
    "absent": ("rightly none", "c"),
    "wrong": ("another value than the gold file's", "d"),
    "omitted": ("none, and the gold file has one", "empty"),
    "hallucinated": ("a value, and the gold file says there is none", "bad"),
}
"""What can become of a field, what it means, and its colour."""
MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio with its confidence interval, each from 0 to 1; None where there is nothing to divide by."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def span(self) -> tuple[float, float, float] | None:
        """Left end, middle and right end in a drawing WIDTH wide."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return self.low * WIDTH, self.value * WIDTH, self.high * WIDTH


@dataclass(frozen=True, slots=True)
class Field:
    """A field's figures.

    Attributes:
        name: JSON pointer or name.
        exact: F1 of equal values.
        normalized: Precision, recall and F1 of values that mean the same.
        support: Values that the gold file annotates.
        outcomes: What became of them.
        examples: The first that went wrong: outcome, gold, found, name of the document and its page.
    """

    name: str
    exact: Interval
    normalized: Mapping[str, Interval]
    support: int
    outcomes: Sequence[Share]
    examples: Sequence[Mapping[str, str]]


def build_evaluation_page(evaluation: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The page, HTML.

    Args:
        evaluation: The file.
        names: The page of each document that has one, by doc_id.

    Raises:
        JobError: The file has another form.
    """
    try:
        tasks = {
            task: {**found, "fields": list(_fields(found["fields"], names))}
            for task, found in evaluation["tasks"].items()
        }
        return render_page(
            "evaluation.html",
            (),
            evaluation=evaluation,
            tasks=tasks,
            figures=list(_figures(evaluation)),
            outcomes=OUTCOMES,
            against=evaluation.get("against"),
            has_evaluation=True,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"evaluation.json is of another form than this version's: {error!r}. Run pipeline eval again."
        raise JobError(message) from error


def _fields(fields: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Field]:
    for name, found in fields.items():
        normalized = {what: _interval(found["normalized"].get(what)) for what in ("precision", "recall", "f1")}
        yield Field(
            name=name,
            exact=_interval(found["exact"].get("f1")),
            normalized=normalized,
            support=int(found["normalized"].get("support") or 0),
            outcomes=build_shares(
                (outcome, meaning, look, int(found["outcomes"].get(outcome, 0)))
                for outcome, (meaning, look) in OUTCOMES.items()
            ),
            examples=[_example(one, names) for one in found.get("examples", ())[:MOST_EXAMPLES]],
        )


def _example(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    doc_id = str(one["doc_id"])
    return {
        "doc_id": doc_id,
        "page": f"documents/{names[doc_id]}" if doc_id in names else "",
        "outcome": str(one["outcome"]),
        "gold": value_text(one.get("gold")),
        "found": value_text(one.get("found")),
    }


def _interval(given: Any) -> Interval:  # noqa: ANN401 - JSON
    """Three numbers, or nothing."""
    if given is None:
        return Interval(None, None, None)
    value, low, high = given
    return Interval(value, low, high)


def _figures(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Interval, str]]:
    """The ratios of the whole run: name, interval, of how many."""
    answers, evidence = evaluation.get("answers") or {}, evaluation.get("evidence") or {}
    if answers.get("valid_ratio"):
        yield "valid answers", _interval(answers["valid_ratio"]), f"of {answers['n']:,}"
    if evidence.get("ratio"):
        n = evidence.get("n")
        yield "verified values", _interval(evidence["ratio"]), f"of {n:,} cited" if n is not None else "of those cited"
