"""Every annotated document of a task against its row: outcomes by field and document, scores and examples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pipeline.reports.evaluation.matching import Counts, Judgement, Pair, judge
from pipeline.reports.evaluation.pairing import Annotated, iter_pairs
from pipeline.reports.evaluation.scoring import score, stack
from pipeline.schema.columns import Column
from pipeline.schema.json_text import JSON

MOST_EXAMPLES = 50


@dataclass(slots=True)
class Document:
    """One field of one document: its pairs, and what became of them."""

    pairs: list[Pair] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)

    @property
    def exact(self) -> Counts:
        """All its outcomes, compared to the letter."""
        return add_up([judgement.exact for judgement in self.judgements])

    @property
    def normalized(self) -> Counts:
        """All its outcomes, compared as a person would."""
        return add_up([judgement.normalized for judgement in self.judgements])


Judged = dict[str, dict[str, Document]]
"""By field name, then by doc_id; fields in the order of the columns, documents in the gold's."""


def judge_documents(
    gold: Mapping[str, Mapping[str, JSON]],
    rows: Mapping[str, Mapping[str, JSON]],
    columns: tuple[Column, ...],
    annotated: Annotated,
) -> Judged:
    """Compare what the gold has of each document with its row; of one that has no row everything is left out."""
    judged: Judged = {}
    for doc_id, values in gold.items():
        for pair in iter_pairs(values, rows.get(doc_id, {}), columns, annotated):
            document = judged.setdefault(pair.field, {}).setdefault(doc_id, Document())
            document.pairs.append(pair)
            document.judgements.append(judge(pair))
    order = {column.name: place for place, column in enumerate(columns)}
    return dict(sorted(judged.items(), key=lambda item: order[_top(item[0], order)]))


def report_field(documents: Mapping[str, Document], uris: Mapping[str, str]) -> dict[str, object]:
    """What the report says of a field."""
    exact = stack([document.exact for document in documents.values()])
    normalized = stack([document.normalized for document in documents.values()])
    outcomes = (int(total) for total in normalized.sum(axis=0))
    return {
        "n_documents": len(documents),
        "exact": score(exact),
        "normalized": score(normalized),
        "outcomes": dict(zip(Counts._fields, outcomes, strict=True)),
        "examples": _examples(documents, uris),
    }


def add_up(counts: Collection[Counts]) -> Counts:
    """The sum of outcomes."""
    return Counts(*map(sum, zip(*counts, strict=True))) if counts else Counts()


def _examples(documents: Mapping[str, Document], uris: Mapping[str, str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for doc_id, document in documents.items():
        for pair, judgement in zip(document.pairs, document.judgements, strict=True):
            for mistake in judgement.mistakes:
                if len(found) == MOST_EXAMPLES:
                    return found
                who = {"doc_id": doc_id, "uri": uris.get(doc_id), "item": pair.item}
                found.append({**who, **mistake._asdict()})
    return found


def _top(name: str, order: Collection[str]) -> str:
    """The column that a field is in: the longest name that the field's begins with."""
    return max((column for column in order if name.startswith(column)), key=len)
