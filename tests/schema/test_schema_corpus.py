"""Over every schema of JSONSchemaBench's mask set: it loads, fast; labels agree; what `check` says of it is true."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from pipeline.schema.finding import Level
from pipeline.schema.load import Contract, load_contract
from pipeline.schema.parse import parse_schema
from pipeline.schema.pointer import child

DOC = Path(__file__).parents[2] / "docs" / "schemas.md"
BEGIN, END = "<!-- counts: begin -->\n", "<!-- counts: end -->\n"


@pytest.fixture(scope="module")
def cases(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Contract, list[dict[str, Any]]]]:
    """Name, contract and labelled instances of each schema."""
    path = tmp_path_factory.mktemp("bench") / "schema.json"
    found = []
    for file in sorted((corpus / "jsonschemabench" / "maskbench" / "data").glob("*.json")):
        case = json.loads(file.read_text(), parse_float=Decimal)
        path.write_text(json.dumps(json.loads(file.read_text())["schema"]))
        began = time.process_time()
        contract = load_contract(path, 4096)
        assert time.process_time() - began < 2, file.name
        found.append((file.stem, contract, case["tests"]))
    return found


@pytest.mark.corpus
def test_every_schema_loads_and_every_label_agrees(cases: list[tuple[str, Contract, list[dict[str, Any]]]]) -> None:
    wrong = [
        (name, test["data"])
        for name, contract, tests in cases
        for test in tests
        if contract.validator.is_valid(test["data"]) != test["valid"]
    ]
    assert len(cases) == 311
    assert wrong == []


@pytest.mark.corpus
def test_each_broken_constraint_is_classified_and_what_is_enforced_cannot_be_written(
    cases: list[tuple[str, Contract, list[dict[str, Any]]]], can_write: Callable[[str, str], bool]
) -> None:
    seen: Counter[str] = Counter()
    for name, contract, tests in cases:
        levels = {(f.pointer, f.keyword): f.level for f in contract.lint}
        where = places(contract)
        for test in (test for test in tests if not test["valid"]):
            errors = [*contract.validator.iter_errors(test["data"])]
            for error in leaves(errors):
                assert levels[where(error)] in (Level.ENFORCED, Level.VALIDATOR_ONLY), (name, where(error))
            enforced = [e for e in errors if all(levels[where(leaf)] is Level.ENFORCED for leaf in leaves([e]))]
            text = json.dumps(test["data"], ensure_ascii=False, default=float)
            if enforced and len(text) < 600 and seen[name] < 2:  # a grammar is made for each: two a schema will do
                seen.update(("enforced", name))
                assert not can_write(contract.decoder_schema, text), (name, where(enforced[0]))
            seen["left"] += not enforced
    assert seen["enforced"] > 300
    assert seen["left"] > 20


def leaves(errors: list[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        yield error
        yield from leaves(error.context or [])


def places(contract: Contract) -> Callable[[ValidationError], tuple[str, str]]:
    """Where in the user's file the schema stands whose keyword an error is about."""
    upgraded = parse_schema(json.dumps(contract.schema))[1]
    pointers: dict[int, str] = {}
    waiting: list[tuple[Any, str]] = [(contract.validator.schema, "")]
    while waiting:
        value, pointer = waiting.pop()
        pointers[id(value)] = pointer
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [(part, child(pointer, key)) for key, part in parts if isinstance(part, dict | list)]

    def where(error: ValidationError) -> tuple[str, str]:
        if isinstance(error.schema, bool):  # false stands for itself; it was reached through its parent's keyword
            keyword = next(str(part) for part in reversed(error.schema_path) if isinstance(part, str))
            return "", keyword
        return upgraded.original(pointers[id(error.schema)]), str(error.validator)

    return where


@pytest.mark.corpus
def test_the_published_counts_are_current(
    cases: list[tuple[str, Contract, list[dict[str, Any]]]], rewrite_goldens: bool
) -> None:
    before, _, rest = DOC.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    document = before + BEGIN + counts(cases) + END + after
    if rewrite_goldens:
        DOC.write_text(document, encoding="utf-8")
    assert DOC.read_text(encoding="utf-8") == document


def counts(cases: list[tuple[str, Contract, list[dict[str, Any]]]]) -> str:
    tests = [test["valid"] for _, _, labelled in cases for test in labelled]
    fit = sum(contract.longest_bytes <= contract.max_tokens for _, contract, _ in cases)
    found = [f for _, contract, _ in cases for f in contract.lint]
    by_keyword: dict[str, Counter[Level]] = {}
    for f in found:
        if f.level is not Level.NOTE:
            by_keyword.setdefault(f.keyword, Counter())[f.level] += 1
    known = {k: n for k, n in by_keyword.items() if n[Level.ENFORCED] + n[Level.VALIDATOR_ONLY]}
    unknown = sum(sum(n.values()) for k, n in by_keyword.items() if k not in known)
    columns = (Level.ENFORCED, Level.VALIDATOR_ONLY, Level.REFUSED)
    rows = [
        (f"`{keyword}`", *(f"{n[level]:,}" for level in columns))
        for keyword, n in sorted(known.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    ]
    total: Counter[Level] = sum((n for n in known.values()), Counter())
    rows.append(("all of these", *(f"{total[level]:,}" for level in columns)))
    lines = [
        f"{len(cases)} schemas, all load; {sum(c.is_wrapped for _, c, _ in cases)} of them have answers that are no "
        "object with properties (one column `value`).",
        f"{sum(tests)} valid and {len(tests) - sum(tests)} invalid instances: the validator agrees with every label.",
        f"With max_tokens 4,096 the longest answer fits for {fit} schemas; the others have bounds of their own, or "
        "more names than that.",
        "",
        "| keyword | enforced | validator only | no effect |",
        "|---|---:|---:|---:|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"Words that are no keywords of JSON Schema (`nullable`, `markdownDescription`, ...): {unknown:,}, each told.",
        "",
    ]
    return "\n".join(lines)
