"""Values that the model consolidates (`x-merge: reduce`): a document's records in, what to put to the model out.

The answers of the chunks are shown to the model again, as many at a time as its window takes, and become one; those
become one again, in as many levels as it needs. Pure: knows no tokens and no engine.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from pipeline.answers.record import Record
from pipeline.schema.decoder import build_decoder_schema
from pipeline.schema.intersect import Schema
from pipeline.schema.load import Contract
from pipeline.schema.longest import longest_answer_bytes
from pipeline.schema.policies import Policy
from pipeline.schema.quick import build_look
from pipeline.schema.validator import build_validator
from pipeline.schema.values import JSON, canonical_json


def reduced_names(contract: Contract) -> tuple[str, ...]:
    """The top-level properties that the model consolidates, in the schema's order."""
    return tuple(column.name for column in contract.columns if column.merge == Policy.REDUCE)


def reduction_contract(contract: Contract) -> Contract:
    """The contract of what the model is asked for: an object of the reduced properties, all of them there.

    No list of it is counted first: what was on the pages was counted when they were read.

    It is made of the normal form: what only the validator knows of these properties was checked in the answers that
    are consolidated, and is not checked again.
    """
    names, properties = reduced_names(contract), contract.normal["properties"]
    normal: Schema = {
        "type": "object",
        "properties": {name: _uncounted(properties[name]) for name in names},
        "required": list(names),
        "additionalProperties": False,
    }
    decoder_schema = build_decoder_schema(normal, contract.max_tokens)
    return dataclasses.replace(
        contract,
        schema=normal,
        normal=normal,
        cited=normal,
        decoder_schema=decoder_schema,
        longest_bytes=longest_answer_bytes(decoder_schema),
        validator=build_validator(json.dumps(normal)),
        look=build_look(json.dumps(normal)),
        columns=tuple(column for column in contract.columns if column.name in names),
        counted=(),
        is_wrapped=False,
    )


def _uncounted(node: Schema) -> Schema:
    return {keyword: value for keyword, value in node.items() if keyword != "x-count-first"}


def contested_names(records: Sequence[Record], contract: Contract) -> tuple[str, ...]:
    """The reduced properties of which the records give two different values or more; only these are asked about."""
    values = {name: [_present(record.values, name) for record in records] for name in reduced_names(contract)}
    return tuple(
        name
        for name, found in values.items()
        if len({canonical_json(value) for value in found if value is not None}) > 1
    )


def partial_answers(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """What the chunks say of these properties, as JSON texts in document order; chunks that say nothing are left out.

    Equal answers stand once, where the first of them stood.
    """
    ordered = sorted(records, key=lambda record: (record.chunk_index, record.part))
    found = (
        {name: record.values[name] for name in names if _present(record.values, name) is not None} for record in ordered
    )
    return list(dict.fromkeys(canonical_json(values) for values in found if values))


def pack(lengths: Sequence[int], room: int) -> list[range] | None:
    """Group neighbours, as many as fit, so that fewer texts are left.

    Args:
        lengths: Of each text.
        room: For the texts of one group together.

    Returns:
        Index ranges that tile the texts, the larger groups first filled; None when not even one pair of neighbours
        fits together, so that no level would ever end.

    Example:
        pack([40, 30, 50, 20], room=100) gives [range(0, 2), range(2, 4)].
    """
    groups: list[range] = []
    first = total = 0
    for i, length in enumerate(lengths):
        if i > first and total + length > room:
            groups.append(range(first, i))
            first, total = i, 0
        total += length
    groups.append(range(first, len(lengths)))
    return groups if len(groups) < len(lengths) or len(lengths) == 1 else None


def _present(values: Mapping[str, JSON], name: str) -> JSON:
    """A property's value; None when it is absent, null or nothing but white space."""
    value = values.get(name)
    return None if isinstance(value, str) and not value.strip() else value
