"""The JSON Schema Test Suite, drafts 2020-12 and 7: the validator gives its verdicts, and no schema breaks anything."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SchemaError
from pipeline.schema.columns import build_columns, has_columns
from pipeline.schema.normal import build_normal
from pipeline.schema.parse import parse_schema
from pipeline.schema.reach import reach
from pipeline.schema.references import References
from pipeline.schema.validator import build_validator

DRAFTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}
SERVED = {"refRemote.json"}
"""Files that need a server of remote schemas."""

KNOWN = {
    "draft2020-12/format.json": (19, "formats are asserted, by choice"),
    "draft2020-12/vocabulary.json": (1, "a metaschema of one's own that drops keywords is not followed"),
    "draft7/optional/content.json": (4, "what a string contains is not looked at"),
    **{
        f"{draft}/optional/{name}": (n, "patterns are Python's: other escapes, and classes that know more than ASCII")
        for draft in DRAFTS
        for name, n in {"ecmascript-regex.json": 14, "format/ecmascript-regex.json": 12}.items()
    },
    **{
        f"{draft}/optional/format/hostname.json": (23, "the ASCII form of an international name is not decoded")
        for draft in DRAFTS
    },
    **{
        f"{draft}/optional/format/{name}.json": (n, "rare texts of this format")
        for draft in DRAFTS
        for name, n in {"idn-hostname": 5, "iri": 3, "uri": 1, "uri-reference": 1, "uri-template": 9}.items()
    },
}
"""How many verdicts of a file differ, and why."""
REFUSED = {
    "leads out of the file": "only references inside the file",
    "a regular expression that Python does not know": "is not a 'regex'",
}
"""Why a schema of the suite may be refused: a name, and the words of the message."""


@dataclass
class Result:
    n_right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    impossible: list[str] = field(default_factory=list)


def cases(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for draft, uri in DRAFTS.items():
        for file in sorted((folder / draft).rglob("*.json")):
            for case in json.loads(file.read_text()) if file.name not in SERVED else ():
                if isinstance(case["schema"], dict):
                    case["schema"] = {"$schema": uri, **case["schema"]}
                    yield f"{draft}/{file.relative_to(folder / draft)}", case


@pytest.fixture(scope="module")
def result(corpus: Path) -> Result:
    found = Result()
    for name, case in cases(corpus / "json-schema-test-suite" / "tests"):
        text = json.dumps(case["schema"])
        try:
            references = References(parse_schema(text)[1].schema)
            reach(references)
        except SchemaError as exc:
            found.refused[next((why for why, words in REFUSED.items() if words in str(exc)), str(exc))] += 1
            continue
        try:
            node = build_normal(references).node
            build_columns(node if has_columns(node) else {"type": "object", "properties": {"value": node}})
        except SchemaError as exc:
            found.impossible.append(f"{name}: {case['description']}: {exc}")
        validator = build_validator(text)
        for test in case["tests"]:
            is_right = validator.is_valid(json.loads(json.dumps(test["data"]), parse_float=Decimal)) == test["valid"]
            found.n_right += is_right
            found.wrong[name] += not is_right
    return found


@pytest.mark.corpus
def test_the_validator_gives_the_suites_verdicts(result: Result) -> None:
    assert {name: n for name, n in result.wrong.items() if n} == {name: n for name, (n, _) in KNOWN.items()}
    assert result.n_right == 3_639


@pytest.mark.corpus
def test_only_what_leads_out_of_the_file_and_foreign_patterns_are_refused(result: Result) -> None:
    assert result.refused.keys() == REFUSED.keys()
    assert result.refused.total() <= 25


@pytest.mark.corpus
def test_a_schema_without_a_normal_form_is_one_that_no_value_satisfies(corpus: Path, result: Result) -> None:
    folder = corpus / "json-schema-test-suite" / "tests"
    satisfied = {
        f"{name}: {case['description']}" for name, case in cases(folder) if any(test["valid"] for test in case["tests"])
    }
    unexpected = [text for text in result.impossible if text.split(": no answer")[0].split(": at")[0] in satisfied]
    assert unexpected == []
