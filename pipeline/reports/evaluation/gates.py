"""The gates of a job that an evaluation can judge: which limits are kept, a sentence each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipeline.errors import JobError
from pipeline.job.sections import GatesSection
from pipeline.reports.evaluation.nearest import nearest
from pipeline.reports.evaluation.telling import limit_text, told


def check_gates(gates: GatesSection, known: Mapping[str, Collection[str]]) -> None:
    """See that each key of a table of gates.min_f1 names a field.

    Args:
        gates: Of the job.
        known: Every field of each of the job's tasks, as reports name them.

    Raises:
        JobError: One names none, or one that several tasks have.
    """
    for key in gates.min_f1 if isinstance(gates.min_f1, dict) else ():
        tasks = [task for task, fields in known.items() if key in fields]
        if len(tasks) > 1:
            raise JobError(f"gates.min_f1 names {key!r}, which several tasks have; write {tasks[0]}.{key}.")
        if not tasks and not any(_is_of(key, task, fields) for task, fields in known.items()):
            names = [name for task, fields in known.items() for name in (*fields, *(f"{task}.{f}" for f in fields))]
            raise JobError(f"gates.min_f1 names {key!r}, and there is no such field{nearest(key, names)}")


def judge_gates(
    gates: GatesSection, report: Mapping[str, Any], known: Mapping[str, Collection[str]]
) -> list[dict[str, Any]]:
    """Each gate that the job sets, with what was found.

    F1 is the normalized one. Where it is undefined there was nothing to find and nothing was found, so the gate is
    passed; where the gold does not annotate a field that has a limit of its own, it is not. A ratio of nothing passes.

    Args:
        gates: Of the job, checked.
        report: The evaluation, but for its gates.
        known: The fields of the tasks that were evaluated.
    """
    found = [*_f1_gates(gates, report["tasks"], known)]
    ratios = {
        "min_valid_ratio": (gates.min_valid_ratio, report["answers"]["valid_ratio"], "of the answers are valid"),
        "min_evidence_ratio": (
            gates.min_evidence_ratio,
            report["evidence"]["ratio"],
            "of the cited values are verified",
        ),
    }
    for name, (limit, ratio, what) in ratios.items():
        if limit:
            found.append(_ratio_gate(name, limit, ratio, what))
    if gates.max_p95_s is not None:
        found.append(_latency_gate(gates.max_p95_s, report["latency_s"]))
    return found


def _f1_gates(
    gates: GatesSection, tasks: Mapping[str, Any], known: Mapping[str, Collection[str]]
) -> Iterator[dict[str, Any]]:
    if not isinstance(gates.min_f1, dict):
        for task, evaluated in tasks.items() if gates.min_f1 else ():
            for name, of_field in evaluated["fields"].items():
                yield _f1_gate(gates.min_f1, task, name, of_field) | {"task": task, "field": name}
        return
    for key, limit in gates.min_f1.items():
        for task, fields in known.items():
            name = key if key in fields else key.removeprefix(f"{task}.")
            if name in fields and (name == key or _is_of(key, task, fields)):
                of_field = tasks.get(task, {"fields": {}})["fields"].get(name)
                yield _f1_gate(limit, task, name, of_field) | {"task": task, "field": name}


def _f1_gate(limit: float, task: str, name: str, of_field: Mapping[str, Any] | None) -> dict[str, Any]:
    begun = f'gates.min_f1 is {limit_text(limit)}, and field "{name}" of task {task}'
    if of_field is None:
        return _gate("min_f1", limit, None, False, f"{begun} is not annotated.")
    f1, n = of_field["normalized"]["f1"], of_field["n_documents"]
    documents = _counted(n, "document")
    if f1 is None:
        return _gate("min_f1", limit, None, True, f"{begun} is absent from all {documents}, rightly.")
    sentence = f"{begun} has F1 {told(f1[0], limit, 2)} (normalized; {f1[1]:.2f} to {f1[2]:.2f}, {documents})."
    return _gate("min_f1", limit, f1[0], f1[0] >= limit, sentence)


def _ratio_gate(name: str, limit: float, ratio: list[float] | None, what: str) -> dict[str, Any]:
    if ratio is None:
        return _gate(name, limit, None, True, f"gates.{name} is {limit_text(limit)}, and there is nothing to judge.")
    found = f"{told(ratio[0], limit, 3)} {what} ({ratio[1]:.3f} to {ratio[2]:.3f})"
    return _gate(name, limit, ratio[0], ratio[0] >= limit, f"gates.{name} is {limit_text(limit)}, and {found}.")


def _latency_gate(limit: float, latency: Mapping[str, float] | None) -> dict[str, Any]:
    begun = f"gates.max_p95_s is {limit_text(limit)}, and"
    if latency is None:
        return _gate("max_p95_s", limit, None, True, f"{begun} there is no answer.")
    p95, n = latency["p95"], int(latency["n"])
    sentence = f"{begun} the 95th percentile of {_counted(n, 'answer')} is {told(p95, limit, 2)} s."
    return _gate("max_p95_s", limit, p95, p95 <= limit, sentence)


def _gate(name: str, limit: float, found: float | None, passes: bool, sentence: str) -> dict[str, Any]:
    of_none = {"task": None, "field": None}
    return {"name": name, **of_none, "limit": limit, "found": found, "passes": passes, "sentence": sentence}


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _is_of(key: str, task: str, fields: Collection[str]) -> bool:
    return key.startswith(f"{task}.") and key.removeprefix(f"{task}.") in fields
