"""An evaluation as a person reads it: tables of fields, then how the model answered, gates, and what changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.schema.json_text import write_json
from pipeline.schema.pointer import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_FIELDS = (
    "field",
    "gold",
    "exact F1",
    "F1",
    "precision",
    "recall",
    "right",
    "wrong",
    "omitted",
    "made up",
)
_LEGEND = (
    "F1, precision, recall and the counts are of values that mean the same (case, spaces, quotes and the like aside); "
    "gold: values that it has; omitted: the gold has a value, the row has none; made up: the row has one, the gold "
    "says there is none. In brackets: intervals of 95 %."
)
_OUTCOMES = ("wrong", "omitted", "hallucinated")
_MOST_CHANGES = 5
_LONGEST = 60
_LONGEST_NAME = 14
"""Characters of a field's name that are never folded."""
_WIDE = 120
"""Columns of a terminal in which figures have their intervals."""


def print_evaluation(report: Mapping[str, Any], path: Path) -> None:
    """Print the report.

    Args:
        report: Of the shape that `pipeline.reports.evaluation` describes.
        path: Where it was written.
    """
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False, emoji=False)
    say = console.print
    say(f"{report['output']} (run {report['output_run_id']}) against {report['gold']}")
    for name, task in report["tasks"].items():
        say(f"\ntask {name}: {_counted(task['n_documents'], 'document')} of the gold" + _unmatched(task))
        say(_fields_table(task["fields"], is_wide=console.width >= _WIDE))
    say(_LEGEND)
    say()
    for line in _answering(report):
        say(line)
    for gate in report["gates"]:
        say(f"gate      {'ok' if gate['passes'] else 'FAILED'}: {gate['sentence']}")
    if report["against"] is not None:
        _print_against(console, report["against"])
    say(f"written   {path}")
    say(f"look      pipeline report {report['output']}")


def _unmatched(task: Mapping[str, Any]) -> str:
    return f"; not in the folder: {task['n_unmatched']:,} more" if task["n_unmatched"] else ""


def _fields_table(fields: Mapping[str, Any], *, is_wide: bool) -> Table:
    """A line a field; in a narrow terminal without intervals, which evaluation.json has."""
    table = _table(*_FIELDS, gap=2 if is_wide else 1)
    table.columns[0].min_width = min(max(map(len, fields), default=0), _LONGEST_NAME)
    figure = _interval if is_wide else _value
    for name, field in fields.items():
        exact, normalized, outcomes = field["exact"], field["normalized"], field["outcomes"]
        right = outcomes["correct"] + outcomes["absent"]
        table.add_row(
            printable(name),
            f"{normalized['support']:,}",
            figure(exact["f1"]),
            figure(normalized["f1"]),
            _value(normalized["precision"]),
            _value(normalized["recall"]),
            f"{right:,}" + (f" ({outcomes['absent']:,} absent)" if outcomes["absent"] else ""),
            *(f"{outcomes[name]:,}" for name in _OUTCOMES),
        )
    return table


def _answering(report: Mapping[str, Any]) -> list[str]:
    answers, evidence, seconds = report["answers"], report["evidence"], report["latency_s"]
    tokens, per_document = report["tokens"], report["tokens"]["per_document"]
    lines = [
        f"valid     {answers['n_valid']:,} of {answers['n_questions']:,} questions {_interval(answers['valid_ratio'])}"
        f", at the first attempt {answers['n_first_valid']:,} {_interval(answers['first_valid_ratio'])}"
    ]
    if evidence["n_cited"]:
        grades = ", ".join(f"{n:,} {grade}" for grade, n in evidence["grades"].items())
        lines.append(
            f"evidence  {evidence['n_verified']:,} of {evidence['n_cited']:,} cited values are verified "
            f"{_interval(evidence['ratio'])}; "
            f"in rows {evidence['n_in_row_verified']:,} of {evidence['n_in_row']:,}; {grades}"
        )
    if seconds is not None:
        lines.append(
            f"latency   p50 {seconds['p50']:.2f} s, p95 {seconds['p95']:.2f} s, p99 {seconds['p99']:.2f} s, "
            f"most {seconds['max']:.2f} s ({_counted(seconds['n'], 'answer')})"
        )
    each = (
        ""
        if per_document is None
        else f"; a document {per_document['input']:,.0f} in, {per_document['output']:,.0f} out"
    )
    lines.append(
        f"tokens    {tokens['input']:,} in, {tokens['cached']:,} of them cached, {tokens['output']:,} out{each}"
    )
    return lines


def _print_against(console: Console, against: Mapping[str, Any]) -> None:
    console.print(f"\nbefore    {against['output']} (run {against['output_run_id']})")
    for name, task in against["tasks"].items():
        console.print(f"task {name}: {_counted(task['n_documents'], 'document')} that both have")
        table = _table("field", "F1 before", "F1 now", "difference", "better", "worse")
        for field, of_field in task["fields"].items():
            cells = (_value(of_field["before"]), _value(of_field["now"]), _interval(of_field["difference"], sign="+"))
            table.add_row(printable(field), *cells, f"{of_field['n_better']:,}", f"{of_field['n_worse']:,}")
        console.print(table)
        for side, which in (("only_now", "now"), ("only_before", "before")):
            if task[side]:
                console.print(f"only {which}: {printable(', '.join(task[side]))}")
        for field, of_field in task["fields"].items():
            _print_changes(console, field, of_field)
    console.print()
    for limit in against["protocol"]:
        console.print(f"{limit['name']:<10} {limit['sentence']}")


def _print_changes(console: Console, field: str, of_field: Mapping[str, Any]) -> None:
    for side in ("worse", "better"):
        for change in of_field[side][:_MOST_CHANGES]:
            values = ", ".join(f"{what} {_shown(change[what])}" for what in ("gold", "before", "now"))
            console.print(f"  {side} {printable(field)}  {printable(str(change['uri']))}: {values}", soft_wrap=True)
        if (left := of_field[f"n_{side}"] - _MOST_CHANGES) > 0:
            console.print(f"  {side} {printable(field)}  in {left:,} more; see evaluation.json")


def _table(first: str, *others: str, gap: int = 2) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, gap, 0, 0))
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _value(value: list[float | None] | None) -> str:
    return "-" if value is None else f"{value[0]:.3f}"


def _interval(value: list[float | None] | None, sign: str = "") -> str:
    """A figure and its interval; a dash where it is undefined."""
    if value is None:
        return "-"
    found, low, high = (f"{part:{sign}.3f}" if part is not None else "?" for part in value)
    return f"{found} ({low} to {high})"


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    text = printable(write_json(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
