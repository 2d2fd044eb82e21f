"""Synthetic answers against what judges real ones: the validator, the columns, and llguidance's own grammar."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from pipeline.answers.record import Invalid
from pipeline.answers.validate import parse_answer
from pipeline.engines.engine import FinishReason
from pipeline.engines.synthetic_answers import build_answers
from pipeline.engines.synthetic_numbers import build_number
from pipeline.engines.synthetic_orders import Fate, Task
from pipeline.engines.synthetic_text import CannotAnswerError, build_words
from pipeline.engines.synthetic_writer import Writer
from pipeline.errors import SchemaError
from pipeline.schema.lark import build_grammar
from pipeline.schema.load import Contract, load_contract

SCHEMAS = Path(__file__).parents[2] / "schemas"
PEOPLES = Path(__file__).parents[1] / "answers_schemas"
BYTES = LLTokenizer("byte")


def grammar_allows(decoder_schema: str, text: str) -> bool:
    matcher = LLMatcher(BYTES, LLMatcher.grammar_from_lark(build_grammar(decoder_schema)))
    tokens = list(text.encode())
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


def load(folder: Path, properties: dict[str, Any], required: list[str] | None = None) -> Contract:
    path = folder / "schema.json"
    schema = {"type": "object", "properties": properties, "required": required or []}
    path.write_text(json.dumps(schema), encoding="utf-8")
    return load_contract(path, 4096)


def why_not(contract: Contract, text: str) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if not grammar_allows(contract.decoder_schema, text):
        return f"the grammar does not allow {text}"
    answer = parse_answer(text, contract)
    return answer.detail if isinstance(answer, Invalid) else ""


@pytest.mark.parametrize("brief", [False, True], ids=["usual", "brief"])
@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_the_schemas_of_this_repository(path: Path, brief: bool) -> None:
    contract = load_contract(path, 1024)
    draw = build_answers(contract.decoder_schema, brief=brief)
    texts = [draw(Random(seed)) for seed in range(50)]
    assert [why_not(contract, text) for text in texts] == [""] * 50
    assert all(len(text) < 4096 for text in texts)
    assert brief or len(set(texts)) > 45


@pytest.mark.parametrize("max_tokens", [64, 512])
@pytest.mark.parametrize("path", sorted(PEOPLES.glob("*.json")), ids=lambda path: path.stem)
def test_schemas_of_many_kinds(path: Path, max_tokens: int) -> None:
    """Also where a few tokens leave each part little room, and where lists are counted."""
    contract = load_contract(path, max_tokens)
    for brief, is_short in ((False, False), (True, False), (False, True)):
        draw = build_answers(contract.decoder_schema, brief=brief, is_short=is_short)
        texts = [draw(Random(seed)) for seed in range(8)]
        assert [why_not(contract, text) for text in texts] == [""] * 8


PROPERTIES: dict[str, Any] = {
    "any string": {"type": "string"},
    "exact length": {"type": "string", "minLength": 3, "maxLength": 3},
    "empty string": {"type": "string", "maxLength": 0},
    "one character": {"type": "string", "maxLength": 1},
    "long": {"type": "string", "minLength": 700},
    "pattern": {"type": "string", "pattern": r"^[A-Z]{3}-\d{4}$"},
    "pattern anywhere": {"type": "string", "pattern": "§"},
    "pattern and bounds": {"type": "string", "pattern": "^[a-z]+$", "minLength": 40, "maxLength": 41},
    "pattern of quotes": {"type": "string", "pattern": r'^"\\\n"$'},
    "pattern in Chinese": {"type": "string", "pattern": "^[一-龥]{2,4}$"},
    "format and pattern": {"type": "string", "format": "date", "pattern": "^2024-0[1-9]-1"},
    "short email": {"type": "string", "format": "email", "maxLength": 8},
    **{
        name: {"type": "string", "format": name}
        for name in ("date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
    },
    "integer": {"type": "integer"},
    "open range": {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
    "far range": {"type": "integer", "minimum": 10**14, "maximum": 10**14 + 1},
    "negative": {"type": "integer", "maximum": -5},
    "steps": {"type": "integer", "minimum": -100, "multipleOf": 7},
    "number": {"type": "number"},
    "narrow": {"type": "number", "minimum": 0.12345, "maximum": 0.12346},
    "below zero": {"type": "number", "minimum": -1.5, "exclusiveMaximum": -1.4999},
    "money": {"type": "number", "multipleOf": 0.01},
    "eighths": {"type": "number", "multipleOf": 0.125, "exclusiveMinimum": 0, "maximum": 0.125},
    "enum": {"enum": ["a", 'b"c', "日本"]},
    "enum of all kinds": {"enum": [1, 1.5, None, True, [1, {"a": 2}], {"b": []}]},
    "const": {"const": "x"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "nullable": {"type": ["string", "null"], "format": "date"},
    "types": {"type": ["string", "integer", "boolean"]},
    "any of": {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "array", "items": {"type": "null"}}]},
    "anything": {},
    "list": {"type": "array", "items": {"type": "string"}},
    "no list": {"type": "array", "maxItems": 0},
    "long list": {"type": "array", "items": {"type": "integer"}, "minItems": 40},
    "unique": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3, "maxItems": 3},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 1},
    "object": {"type": "object", "properties": {"a": {"type": "integer"}, "ü": {}}, "required": ["a"]},
    "map": {"type": "object", "additionalProperties": {"type": "number"}},
    "full map": {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "minProperties": 9,
        "maxProperties": 9,
    },
    "map with keys": {
        "type": "object",
        "patternProperties": {"^[a-z]{2}$": {"type": "boolean"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "free map": {"type": "object"},
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_shape(name: str, tmp_path: Path) -> None:
    contract = load(tmp_path, {"value": PROPERTIES[name]}, ["value"])
    for brief in (False, True):
        draw = build_answers(contract.decoder_schema, brief=brief)
        assert [why_not(contract, draw(Random(seed))) for seed in range(10)] == [""] * 10


def test_optional_properties_come_and_go(tmp_path: Path) -> None:
    contract = load(tmp_path, {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}}, ["c"])
    draw = build_answers(contract.decoder_schema)
    found = Counter(tuple(json.loads(draw(Random(seed)))) for seed in range(200))
    assert {("a", "b", "c"), ("a", "c"), ("b", "c")} <= found.keys()
    assert set(json.loads(build_answers(contract.decoder_schema, brief=True)(Random(0)))) == {"c"}


def test_the_layout_is_the_one_asked_for() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [[1, 2]]}, "b": {"type": "array", "minItems": 2}}}
    layout = {"item_separator": ",", "key_separator": ":"}
    text = build_answers(json.dumps({**schema, "required": ["a", "b"], "x-guidance": layout}))(Random(1))
    assert text.startswith('{"a":')
    assert ',"b":["' in text
    assert '","' in text


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "[]",
        "null",
        "{",
        '{"enum": []}',
        '{"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}',
        '{"type": "number", "minimum": 0.1, "maximum": 0.2, "multipleOf": 1}',
        '{"type": "string", "pattern": "^aaa$", "maxLength": 2}',
        '{"type": "string", "pattern": "("}',
        '{"type": "string", "maxLength": "many"}',
        '{"anyOf": []}',
        '{"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}',
        '{"type": "object", "patternProperties": {"^a$": {"enum": []}}, "minProperties": 1}',
        '{"a": ' * 3000 + "1" + "}" * 3000,
        '{"type": "array", "items": ' * 600 + "{}" + "}" * 600,
    ],
)
def test_what_no_answer_satisfies_is_refused(schema: str) -> None:
    with pytest.raises(CannotAnswerError):
        build_answers(schema)
    reason, text, n_tokens, error = Writer(schema).answer(Task(1, "ab" * 32, 0, 100, Fate.ANSWER))
    assert (reason, text, n_tokens) == (FinishReason.REFUSED, "", 0)
    assert 0 < len(error) < 500


def test_too_few_different_keys_are_found_when_drawing() -> None:
    schema = {"type": "object", "patternProperties": {"^[ab]$": {}}, "minProperties": 3, "maxProperties": 3}
    reason, *_, error = Writer(json.dumps(schema)).answer(Task(1, "ab" * 32, 0, 100, Fate.ANSWER))
    assert reason is FinishReason.REFUSED
    assert "only 2 of 3" in error


def test_lists_in_lists_do_not_explode(tmp_path: Path) -> None:
    node: dict[str, Any] = {"type": "null"}
    for _ in range(12):
        node = {"type": "array", "items": {"type": "object", "additionalProperties": node}}
    contract = load(tmp_path, {"value": node}, ["value"])
    text = build_answers(contract.decoder_schema)(Random(1))
    assert why_not(contract, text) == ""
    assert len(text) < 20_000


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param('{"type": "array", "minItems": 1, "items": ' * 200 + "{}" + "}" * 200, id="deep"),
        pytest.param(json.dumps({"enum": ["\ud800" * 9]}), id="half a surrogate pair"),
    ],
)
def test_odd_schemas_do_not_end_the_writer(schema: str) -> None:
    assert Writer(schema).answer(Task(1, "ab" * 32, 0, 2, Fate.ANSWER))[0] is FinishReason.LENGTH


@given(
    st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.sampled_from([1, 3, 10]), st.booleans(), st.integers(0, 99)
)
def test_numbers_keep_their_range_and_step(low: int, width: int, step: int, is_open: bool, seed: int) -> None:
    """All in hundredths, so that the oracle counts whole numbers."""
    ends = ("exclusiveMinimum", "exclusiveMaximum") if is_open else ("minimum", "maximum")
    node = {"type": "number", ends[0]: low / 100, ends[1]: (low + width) / 100, "multipleOf": step / 100}
    allowed = range(low + is_open, low + width + (not is_open))
    if not any(value % step == 0 for value in allowed[: step + 1]):
        with pytest.raises(CannotAnswerError):
            build_number(node)
        return
    text = build_number(node)(Random(seed))
    hundredths = Fraction(text) * 100
    assert hundredths.denominator == 1
    assert int(hundredths) in allowed
    assert int(hundredths) % step == 0


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 99))
def test_words_keep_their_bounds(least: int, more: int, seed: int) -> None:
    text = build_words(least, least + more)(Random(seed))
    assert least <= len(text) <= least + more
    assert len(text) <= max(30, least)
    assert least or text == text.strip()


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_spoiled_answers_are_never_accepted(path: Path) -> None:
    contract = load_contract(path, 1024)
    writer = Writer(contract.decoder_schema)
    codes: Counter[str] = Counter()
    for number in range(60):
        task = Task(number, f"{number * 7919:064x}", 0, 1024, Fate.SPOIL)
        reason, text, _, _ = writer.answer(task)
        assert reason is FinishReason.STOP
        answer = parse_answer(text, contract)
        assert isinstance(answer, Invalid), text
        codes[answer.code] += 1
    assert len(codes) == 2
    assert min(codes.values()) > 10


def test_a_cut_answer_is_the_first_half_of_the_whole_one(tmp_path: Path) -> None:
    contract = load(tmp_path, {"a": {"type": "string"}, "b": {"type": "integer"}})
    writer = Writer(contract.decoder_schema)
    reason, text, n_tokens, _ = writer.answer(Task(1, "5" * 64, 0, 100, Fate.ANSWER))
    cut_reason, cut, n_cut, _ = writer.answer(Task(1, "5" * 64, 0, 100, Fate.CUT))
    assert (reason, cut_reason) == (FinishReason.STOP, FinishReason.LENGTH)
    assert cut == text[: len(text) // 2]
    assert 1 <= n_cut < n_tokens


def test_an_answer_that_is_too_long_gets_shorter_then_is_cut(tmp_path: Path) -> None:
    contract = load(tmp_path, {"a": {"type": "array", "items": {"type": "string"}}, "b": {"const": "é" * 30}}, ["a"])
    writer = Writer(contract.decoder_schema)
    reason, text, n_tokens, _ = writer.answer(Task(1, "5" * 64, 0, 5, Fate.ANSWER))
    assert (reason, text, n_tokens) == (FinishReason.STOP, '{"a": []}', 3)
    contract = load(tmp_path, {"b": {"const": "é" * 30}}, ["b"])
    reason, text, n_tokens, _ = Writer(contract.decoder_schema).answer(Task(1, "5" * 64, 0, 5, Fate.ANSWER))
    assert (reason, text, n_tokens) == (FinishReason.LENGTH, '{"b": "' + "é" * 6, 5)


@pytest.mark.corpus
def test_real_schemas(corpus: Path, tmp_path: Path) -> None:
    """A quarter of JSONSchemaBench's mask set: the grammar allows every answer; few break what no grammar holds."""
    outcome: Counter[str] = Counter()
    for file in sorted((corpus / "jsonschemabench" / "maskbench" / "data").glob("*.json"))[::4]:
        path = tmp_path / "schema.json"
        path.write_text(json.dumps(json.loads(file.read_text())["schema"]))
        try:
            contract = load_contract(path, 4096)
        except SchemaError:
            continue
        text = build_answers(contract.decoder_schema)(Random(1))
        assert grammar_allows(contract.decoder_schema, text), file.name
        outcome["invalid" if isinstance(parse_answer(text, contract), Invalid) else "valid"] += 1
    assert outcome["valid"] >= 60
    assert outcome["invalid"] <= 3
