"""Every schema of JSONSchemaBench's mask set either loads or is refused in a sentence, fast; labelled answers agree."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.answers.record import Invalid
from pipeline.answers.validate import parse_answer
from pipeline.errors import SchemaError
from pipeline.schema.arrow import to_arrow
from pipeline.schema.load import Contract, load_contract


@pytest.mark.corpus
def test_real_schemas(corpus: Path, tmp_path: Path, can_write: Callable[[str, str], bool]) -> None:
    folder = corpus / "jsonschemabench" / "maskbench" / "data"
    outcome: Counter[str] = Counter()
    for file in sorted(folder.glob("*.json")):
        case = json.loads(file.read_text())
        path = tmp_path / "schema.json"
        path.write_text(json.dumps(case["schema"]))
        began = time.process_time()
        contract = _load(path)
        assert time.process_time() - began < 2, file.name
        if isinstance(contract, SchemaError):
            assert len(str(contract)) < 600, file.name
            outcome["refused"] += 1
            continue
        outcome["loaded"] += 1
        for labelled in case["tests"]:
            outcome[_judge(contract, labelled["data"], labelled["valid"])] += 1
    assert outcome["loaded"] >= 260
    assert outcome["refused"] <= 50
    assert outcome["right"] >= 1200
    assert (
        outcome["wrong"] <= 1
    )  # an answer that only draft 7's `dependencies` forbids, a keyword 2020-12 does not have


def _load(path: Path) -> Contract | SchemaError:
    try:
        return load_contract(path, 4096)
    except SchemaError as exc:
        return exc


def _judge(contract: Contract, data: object, valid: bool) -> str:
    answer = parse_answer(json.dumps(data), contract)
    if isinstance(answer, Invalid):
        strict = valid and "the schema names no such property" in answer.detail
        return "stricter" if strict else "wrong" if valid else "right"
    assert to_arrow([answer], contract.columns).num_rows == 1
    return "right" if valid else "wrong"
