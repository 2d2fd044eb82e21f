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


@dataclass(frozen=True, slots=True)
class Change:
    """A field in another output folder and here.

    Attributes:
        task: The task.
        field: The field.
        before: F1 there.
        now: F1 here.
        difference: Now less before, from -1 to 1.
        n_better: Documents that came out better.
        n_worse: Documents that came out worse.
        documents: The first of them: "worse" or "better", and what was said of each.
    """

    task: str
    field: str
    before: Interval
    now: Interval
    difference: Interval
    n_better: int
    n_worse: int
    documents: Sequence[tuple[str, Mapping[str, str]]]

    @property
    def trend(self) -> str:
        """One of worse and better, where the interval leaves no doubt; else empty."""
        if self.difference.low is None or self.difference.high is None:
            return ""
        return "better" if self.difference.low > 0 else "worse" if self.difference.high < 0 else ""


def build_evaluation_page(evaluation: Mapping[str, Any], names: Mapping[str, str], last_run_id: str) -> str:
    """The page, HTML.

    Args:
        evaluation: The file.
        names: The page of each document that has one, by doc_id.
        last_run_id: The last committed run; an evaluation of another one is out of date.

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
            last_run_id=last_run_id,
            tasks=tasks,
            figures=list(_figures(evaluation)),
            outcomes=OUTCOMES,
            latency_s=_numbers(evaluation.get("latency_s"), "p50", "p95", "p99"),
            tokens=_numbers(evaluation.get("tokens"), "input", "cached", "output"),
            against=evaluation.get("against"),
            changes=_changes(evaluation.get("against") or {}, names),
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
        "name": str(one.get("uri") or doc_id),
        "item": str(one.get("item") or ""),
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
        yield "valid answers", _interval(answers["valid_ratio"]), f"of {answers['n_questions']:,}"
    if evidence.get("ratio"):
        yield "verified values", _interval(evidence["ratio"]), f"of {evidence['n_cited']:,} cited"


def _numbers(given: Mapping[str, Any] | None, *names: str) -> dict[str, float]:
    """Those of the figures that are there."""
    return {name: given[name] for name in names if given.get(name) is not None} if given else {}


def _changes(against: Mapping[str, Any], names: Mapping[str, str]) -> list[Change]:
    return [
        Change(
            task=task,
            field=field,
            before=_interval(found["before"]),
            now=_interval(found["now"]),
            difference=_interval(found["difference"]),
            n_better=found["n_better"],
            n_worse=found["n_worse"],
            documents=[
                (what, _moved(one, names)) for what in ("worse", "better") for one in found[what][:MOST_EXAMPLES]
            ],
        )
        for task, of_task in (against.get("tasks") or {}).items()
        for field, found in of_task["fields"].items()
    ]


def _moved(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    doc_id = str(one["doc_id"])
    words = {side: value_text(one.get(side)) for side in ("gold", "before", "now")}
    page = f"documents/{names[doc_id]}" if doc_id in names else ""
    return {"name": str(one.get("uri") or doc_id), "page": page, **words}
