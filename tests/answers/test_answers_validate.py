import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.record import Invalid, Kept, Record
from pipeline.answers.validate import parse_answer, validate
from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import RejectCode
from pipeline.prompts.prompt import Prompt
from pipeline.schema.load import Contract, load_contract

PROPERTIES: dict[str, Any] = {
    "title": {"type": ["string", "null"], "maxLength": 40},
    "signed": {"type": "string", "format": "date"},
    "price": {"type": "number", "minimum": 0, "multipleOf": 0.01},
    "count": {"type": "integer"},
    "ratio": {"type": "number"},
    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "free": {},
}
TEXT = {"type": "string"}
PROMPT = Prompt("p1", "doc", 3, "contracts", [1, 2], 256, "{}")


@pytest.fixture(scope="session")
def contract(contract_of: Callable[..., Contract]) -> Contract:
    return contract_of(PROPERTIES, required=["title"])


def rejected(text: str, contract: Contract) -> Invalid:
    found = parse_answer(text, contract)
    assert isinstance(found, Invalid), found
    assert len(found.detail) < 600
    return found


def test_a_good_answer_becomes_a_record(contract: Contract) -> None:
    text = '{"title": "é", "signed": "2024-02-29", "price": 1.15, "count": 7, "ratio": 1e3, "free": {"a": [null]}}'
    record = validate(Generation("p1", text, FinishReason.STOP), PROMPT, contract)
    assert record == Record(
        doc_id="doc",
        chunk_index=3,
        task="contracts",
        values={
            "title": "é",
            "signed": "2024-02-29",
            "price": Decimal("1.15"),
            "count": 7,
            "ratio": Decimal(1000),
            "free": {"a": [None]},
        },
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (FinishReason.REFUSED, RejectCode.ENGINE_REFUSED),
        (FinishReason.FAILED, RejectCode.ENGINE_FAILED),
        (FinishReason.TIMEOUT, RejectCode.ENGINE_TIMEOUT),
        (FinishReason.QUARANTINED, RejectCode.QUARANTINED),
    ],
)
def test_an_engine_s_failure_is_not_read(contract: Contract, reason: FinishReason, code: RejectCode) -> None:
    found = validate(Generation("p1", '{"title": "good"}', reason, error="it broke"), PROMPT, contract)
    assert found == Invalid(code, "it broke")


def test_a_cut_answer_is_no_record_even_when_it_is_whole(contract: Contract) -> None:
    found = validate(Generation("p1", '{"title": "good"}', FinishReason.LENGTH, 10, 0, 256), PROMPT, contract)
    assert isinstance(found, Kept)
    assert (found.code, found.record.values) == (RejectCode.SALVAGED, {"title": "good"})
    assert "cut after 256 tokens (max_tokens is 256)" in found.detail
    nothing = validate(Generation("p1", '{"count": 5', FinishReason.LENGTH, 10, 0, 256), PROMPT, contract)
    assert isinstance(nothing, Invalid)
    assert nothing.code is RejectCode.TRUNCATED


def test_every_finish_reason_has_an_outcome(contract: Contract) -> None:
    for reason in FinishReason:
        found = validate(Generation("p1", '{"title": null}', reason), PROMPT, contract)
        assert isinstance(found, Record) is (reason is FinishReason.STOP)
        assert isinstance(found, Kept) is (reason is FinishReason.LENGTH)


def test_a_generation_of_another_prompt_is_a_bug(contract: Contract) -> None:
    with pytest.raises(ValueError, match="'p2' was given for prompt 'p1'"):
        validate(Generation("p2", "{}", FinishReason.STOP), PROMPT, contract)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "found nothing"),
        (" \n ", "found nothing"),
        ("I cannot answer", "at character 0, found 'I cannot answer'"),
        ('{"title": "a"', "at character 13"),
        ('{"title": "a"} and so on', "Extra data at character 15"),
        ('```json\n{"title": "a"}\n```', "at character 0"),
        ('{"title": NaN}', "NaN is not JSON"),
        ('{"title": -Infinity}', "-Infinity is not JSON"),
        ('{"title": "a", "title": "b"}', "the key 'title' stands twice"),
        ('{"title": "a", "free": {"x": 1, "x": 1}}', "the key 'x' stands twice"),
        ('{"title": "\\ud800"}', "surrogates not allowed"),
        ('{"title": "a", "ratio": 1e999}', "beyond the range of a double"),
        ('{"title": "a", "count": ' + "9" * 5000 + "}", "beyond the range of a double"),
        ('{"title": "a\nb"}', "control character"),
        ("[" * 100_000, "recursion"),
        ('{"title": "a", "free": ' + "[" * 5000 + "]" * 5000 + "}", "recursion"),
    ],
)
def test_what_is_not_json(contract: Contract, text: str, sentence: str) -> None:
    found = rejected(text, contract)
    assert found.code is RejectCode.INVALID_JSON
    assert sentence in found.detail


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", 'at /: found [], expected type "object"'),
        ("null", "at /: found null"),
        ("{}", "at /: 'title' is a required property"),
        ('{"title": 5}', 'at /title: found 5, expected type ["string", "null"]'),
        ('{"title": "' + "a" * 5000 + '"}', "aaa..., expected maxLength 40"),
        ('{"title": "a", "signed": "2023-02-29"}', 'at /signed: found "2023-02-29", expected format "date"'),
        ('{"title": "a", "signed": ""}', 'expected format "date"'),
        ('{"title": "a", "price": 1.155}', "at /price: found 1.155, expected multipleOf 0.01"),
        ('{"title": "a", "price": -1}', "expected minimum 0"),
        ('{"title": "a", "count": 1.5}', 'expected type "integer"'),
        ('{"title": "a", "count": true}', 'expected type "integer"'),
        ('{"title": "a", "tags": ["x", "x"]}', "expected uniqueItems true"),
        ('{"title": "a", "tags": ["x", 1]}', "at /tags/1: found 1"),
    ],
)
def test_what_breaks_the_schema(contract: Contract, text: str, sentence: str) -> None:
    found = rejected(text, contract)
    assert found.code is RejectCode.SCHEMA_VIOLATION
    assert sentence in found.detail


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "a", "count": 7.0}',
        '{"title": "a", "count": 7e0}',
        '{"title": "a", "price": 0.07}',
        '{"title": "a", "price": 1.10}',
        '{"title": "a", "price": 1e2}',
        '{"title": "a", "price": 1e300}',
        '{"title": "a", "count": 1e300}',
        '{"title": "a", "count": 9223372036854775808}',
        '{"title": "a", "other": 1}',
        '{"title": "\\ud83d\\ude00"}',
        ' {"title":\n"a"}\n',
    ],
)
def test_what_is_fine(contract: Contract, text: str) -> None:
    assert isinstance(parse_answer(text, contract), dict)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00"),
        ("time", "10:00:00Z", "10:00"),
        ("duration", "P1Y", "1 year"),
        ("email", "a@b.example", "a.example"),
        ("uri", "https://b.example/c", "not a uri"),
        ("uuid", "6fa459ea-ee8a-3ca4-894e-db77e160355e", "6fa459ea"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("hostname", "b.example", "-b-"),
    ],
)
def test_formats_are_asserted(contract_of: Callable[..., Contract], name: str, good: str, bad: str) -> None:
    contract = contract_of({"a": {"type": "string", "format": name}})
    assert isinstance(parse_answer(json.dumps({"a": good}), contract), dict)
    assert rejected(json.dumps({"a": bad}), contract).code is RejectCode.SCHEMA_VIOLATION


@settings(deadline=None)
@given(cents=st.integers(0, 10**15))
def test_every_amount_in_cents_is_a_multiple_of_a_cent(contract: Contract, cents: int) -> None:
    text = f'{{"title": null, "price": {cents // 100}.{cents % 100:02}}}'
    assert parse_answer(text, contract) == {"title": None, "price": Decimal(cents) / 100}


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_makes_it_raise(contract: Contract, text: str) -> None:
    assert isinstance(parse_answer(text, contract), dict | Invalid)


def test_an_answer_is_checked_in_a_few_milliseconds(contract: Contract) -> None:
    text = json.dumps({"title": "a", "tags": [f"tag {i}" for i in range(100)], "signed": "2024-01-01"})
    began = time.process_time()
    for _ in range(20):
        assert isinstance(parse_answer(text, contract), dict)
    assert (time.process_time() - began) / 20 < 0.05


# What stands around an answer


LINES: dict[str, Any] = {"type": "array", "items": {"type": "integer"}, "x-count-first": True}


def test_counts_are_taken_out_and_compared(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of({"lines": LINES, "names": {"type": "array"}}, required=["lines"], additionalProperties=False)
    assert contract.counted == ("lines",)

    def judge(text: str) -> Record | Kept | Invalid:
        return validate(Generation("p1", text, FinishReason.STOP), PROMPT, contract)

    found = judge('{"_n_lines": 2, "lines": [1, 2]}')
    assert isinstance(found, Record)
    assert found.values == {"lines": [1, 2]}
    short = judge('{"_n_lines": 3, "lines": [1, 2], "names": []}')
    assert isinstance(short, Kept)
    assert (short.code, short.detail) == (RejectCode.LIST_SHORT, "/lines has 2 of 3 items")
    assert short.record.values == {"lines": [1, 2], "names": []}
    assert isinstance(judge('{"_n_lines": 1, "lines": [1, 2]}'), Record), "more than were counted"
    assert isinstance(judge('{"lines": [1, 2]}'), Record), "an engine that knows no counts"
    wrong = judge('{"_n_names": 1, "lines": []}')
    assert isinstance(wrong, Invalid), "only counted lists have counts"


def test_a_share_that_is_reached_is_not_believed(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of({"lines": {"type": "array", "items": {"type": "integer"}}, "two": {"maxLength": 2, **TEXT}})
    prompt = Prompt("p1", "doc", 3, "contracts", [1, 2], 4096, contract.decoder_schema, part="01")
    bound = json.loads(contract.decoder_schema)["properties"]["lines"]["maxItems"]
    for n_items in (bound - 1, bound):
        text = json.dumps({"lines": [5] * n_items, "two": "ab"})
        found = validate(Generation("p1", text, FinishReason.STOP), prompt, contract)
        if n_items < bound:
            assert isinstance(found, Record)
        else:
            assert isinstance(found, Kept)
            assert (found.code, found.record.part) == (RejectCode.LIMIT_REACHED, "01")
            assert found.detail == "as long as max_tokens 4096 leaves room: /lines"


def test_an_answer_that_is_no_object_becomes_the_column_value(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"type": "array", "items": {"type": "string"}, "minItems": 1}))
    contract = load_contract(path, 4096)
    assert contract.is_wrapped
    assert parse_answer('["a", "b"]', contract) == {"value": ["a", "b"]}
    assert rejected("[]", contract).code is RejectCode.SCHEMA_VIOLATION
    assert rejected('{"value": ["a"]}', contract).code is RejectCode.SCHEMA_VIOLATION


@pytest.mark.parametrize(
    "number", ["1e-99999999999999999999", "0e-99999999999999999999", "0e999999999", "-1E-999999999"]
)
def test_an_exponent_that_no_double_has(contract: Contract, number: str) -> None:
    found = rejected(f'{{"title": null, "price": {number}}}', contract)
    assert found.code is RejectCode.INVALID_JSON
    assert number in found.detail


def test_an_answer_deeper_than_the_validator_can_follow(tmp_path: Path) -> None:
    tree = {"type": "object", "properties": {"under": {"type": "array", "items": {"$ref": "#"}}}}
    (tmp_path / "tree.json").write_text(json.dumps(tree))
    text = '{"under":[' * 300 + "]}" * 300
    found = rejected(text, load_contract(tmp_path / "tree.json", 256))
    assert found.code is RejectCode.SCHEMA_VIOLATION
    assert "nested too deeply" in found.detail


def test_a_repeated_key_among_very_many_is_found_at_once(contract: Contract) -> None:
    names = [f"n{i}" for i in range(100_000)]
    started = time.monotonic()
    found = rejected("{" + ",".join(f'"{name}":1' for name in [*names, names[-1]]) + "}", contract)
    assert "'n99999' stands twice" in found.detail
    assert time.monotonic() - started < 5
