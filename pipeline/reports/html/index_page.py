"""The first page of a report: the runs at a glance, what was lost and why, and the list of all documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import JobError, RejectCode
from pipeline.reports.html import charts
from pipeline.reports.html.citations import AGREEMENTS, GRADES
from pipeline.reports.html.gather import Overview, Summary
from pipeline.reports.html.render import render_page
from pipeline.reports.html.wording import file_name, in_words, label, visible

MOST_LISTED = 20_000
"""Documents in the list; of more, those that need a look first."""
EXIT_WORDS = {0: "complete", 5: "committed, but a gate failed", 75: "stopped: the next start does the rest"}
_PARTS_OF_PHASES = {"starved"}
"""Seconds that are part of another phase."""
_PHASE_LOOKS = {"before_engine": "c", "engine_start": "b", "waiting": "d", "generating": "a"}
_VERIFIED = (
    "Verified: the quote stands in what the model read, and the value does not contradict it. Only where a value "
    "agrees with its quote do its words say the value."
)
_GRADE_LOOKS = {"exact": "a", "normalized": "b", "parts": "c", "fuzzy": "d", "missing": "bad"}


@dataclass(frozen=True, slots=True)
class Lost:
    """What was lost for one reason."""

    code: str
    count: int
    stage: str
    advice: str
    is_kept: bool
    example: str


def build_index_page(
    reports: Sequence[Mapping[str, Any]], overview: Overview, names: Mapping[str, str], *, has_evaluation: bool
) -> str:
    """The page, HTML.

    Args:
        reports: The reports of all committed runs, earliest first; at least one.
        overview: What is in the tables now.
        names: The page of each document that has one, by doc_id.
        has_evaluation: Whether there is a page to link to.

    Raises:
        JobError: Another version wrote a run report, in another form.
    """
    shown = _last_that_worked(reports)
    listed = sorted(overview.documents, key=lambda one: not one.needs_a_look)[:MOST_LISTED]
    readable = [one for one in overview.documents if one.has_text]
    try:
        return render_page(
            "index.html",
            ("index.js",),
            report=shown,
            exit_words=EXIT_WORDS.get(shown["exit_code"], "ended early"),
            phases=_phases(shown),
            runs=list(reversed(reports)),
            lost=_lost(overview),
            overview=overview,
            readable=readable,
            n_pages=sum(one.n_pages or 0 for one in readable),
            pictures=_pictures(shown, overview, readable),
            documents=[_line(one, names) for one in listed],
            n_unlisted=len(overview.documents) - len(listed),
            n_without_page=len(readable) - len(names),
            n_without_text=len(overview.documents) - len(readable),
            verified_means=_VERIFIED,
            n_verified=sum(one.n_verified for one in readable),
            n_verified_of_all=overview.n_quotes - sum(one.n_unverified for one in overview.documents),
            n_cited=sum(one.n_cited for one in readable),
            names=names,
            uris={one.doc_id: one.uri for one in overview.documents},
            has_evaluation=has_evaluation,
            settings=json.dumps(shown.get("settings"), ensure_ascii=False, indent=1),
        )
    except (KeyError, TypeError, ValueError) as error:
        message = f"The report of run {shown.get('run_id')} was written by another version, in another form: {error!r}."
        raise JobError(message) from error


def _last_that_worked(reports: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The last run that settled something, else the last one."""
    for report in reversed(reports):
        counts = report.get("counts", {})
        if any(counts.get(name) for name in ("documents", "rejected_sources", "removed")):
            return dict(report)
    return dict(reports[-1])


def _phases(report: Mapping[str, Any]) -> list[charts.Share]:
    """How the run's seconds divide; in tenths of a second, which are counted."""
    names = [name for name in report["seconds"] if name not in _PARTS_OF_PHASES]
    return charts.build_shares(
        (in_words(name), "", _PHASE_LOOKS.get(name, "empty"), round(report["seconds"][name] * 10)) for name in names
    )


def _lost(overview: Overview) -> list[Lost]:
    found = []
    for code, count in overview.rejects.most_common():
        known = RejectCode(code)
        example = overview.reject_examples[code]
        found.append(Lost(code, count, known.stage.value, known.advice, known.keeps_values, example))
    return found


def _pictures(report: Mapping[str, Any], overview: Overview, readable: Sequence[Summary]) -> dict[str, Any]:
    """The pictures of the page, by name; None or empty where there is nothing to show."""
    asked = [one for one in readable if one.n_segments_cited is not None]
    n_cited = sum(one.n_segments_cited or 0 for one in asked)
    n_without_text = sum(one.n_without_text for one in asked)
    n_other = sum(one.n_segments for one in asked) - n_cited - n_without_text
    coverage = [
        ("cited", "a found quote stands there", "a", n_cited),
        ("never cited", "no quote stands there", "empty", max(n_other, 0)),
        ("without text", "nothing could be read", "bad", n_without_text),
    ]
    grades = ((grade, meaning, _GRADE_LOOKS[grade], overview.grades[grade]) for grade, meaning in GRADES.items())
    looks = {"agrees": "a", "unchecked": "empty", "disagrees": "bad"}
    agreements = ((name, meaning, looks[name], overview.agreements[name]) for name, meaning in AGREEMENTS.items())
    return {
        "tokens": charts.build_histogram([one.n_tokens for one in readable], "tokens", "documents"),
        "items": {
            task: charts.build_histogram(values, "items a page", "answers") for task, values in overview.items.items()
        },
        "timeline": charts.build_timeline(report.get("timeline") or {}),
        "grades": charts.build_shares(grades) if overview.grades.total() else [],
        "agreements": charts.build_shares(agreements) if overview.agreements.total() else [],
        "coverage": charts.build_shares(coverage) if asked else [],
    }


def _line(one: Summary, names: Mapping[str, str]) -> list[object]:
    """One document for the page's script, which knows the places by number."""
    return [
        visible(label(file_name(one.uri))),
        visible(label(one.uri)),
        f"documents/{names[one.doc_id]}" if one.doc_id in names else "",
        one.status,
        visible(label(one.note)),
        one.n_pages,
        one.n_tokens if one.has_text else None,
        one.n_rejects,
        one.n_conflicts,
        one.n_unverified,
        one.n_cited,
        one.n_verified,
    ]
