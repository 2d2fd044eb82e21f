"""The grammar's text: layout, literals that could break it, long strings, many properties, shapes it cannot take."""

import json
import re
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from pipeline.errors import SchemaError
from pipeline.schema.grammar import enforceable_text, grammar_error, text_limits
from pipeline.schema.lark import MAX_OPTIONAL, build_grammar

CanWrite = Callable[[str, str], bool]

HOSTILE = [
    '"',
    "\\",
    '\\"',
    "a\nb\tc\r\x00\x1f\x7f",
    "::=",
    'a ::= "b" // c # d',
    "{1,2}* | start: x",
    "é😀\u2028\ufeff",
    "%json {}",
    "/x/",
    "<|im_end|>",
    "",
    " ",
]


def object_of(properties: dict[str, Any], required: list[str] | None = None) -> str:
    names = [*properties] if required is None else required
    return json.dumps({"type": "object", "properties": properties, "required": names})


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_values_are_only_text(can_write: CanWrite, text: str) -> None:
    form = object_of({text: {"enum": [text, [text, {text: 1}], 7]}, text + "x": {"type": "null"}}, [text])
    assert "::=" not in build_grammar(form)
    for value in (text, [text, {text: 1}], 7):
        assert can_write(form, json.dumps({text: value}, ensure_ascii=False))
        assert can_write(form, json.dumps({text: value, text + "x": None}, ensure_ascii=False))
    assert not can_write(form, json.dumps({text: text + "y"}, ensure_ascii=False))
    assert not can_write(form, json.dumps({text + "x": None}, ensure_ascii=False))


@settings(max_examples=80, deadline=None)
@given(
    names=st.lists(st.text(max_size=4), min_size=1, max_size=6, unique=True),
    required=st.lists(st.booleans(), min_size=6, max_size=6),
    written=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_properties_stand_in_order_and_only_optional_ones_may_lack(
    can_write: CanWrite, names: list[str], required: list[bool], written: list[bool]
) -> None:
    must = [name for name, needed in zip(names, required, strict=False) if needed]
    form = object_of({name: {"type": "null"} for name in names}, must)
    chosen = [name for name, is_there in zip(names, written, strict=False) if is_there]
    answer = json.dumps(dict.fromkeys(chosen), ensure_ascii=False)
    assert can_write(form, answer) == ({*must} <= {*chosen})
    if len(chosen) > 1 and {*must} <= {*chosen}:
        assert not can_write(form, json.dumps(dict.fromkeys(reversed(chosen)), ensure_ascii=False))
        assert not can_write(form, answer.replace(", ", ","))
        assert not can_write(form, answer.replace("}", ", }"))


@pytest.mark.parametrize(
    ("least", "most"), [(0, 512), (0, 513), (3, 1024), (256, 767), (300, 600), (513, 513), (700, 5001)]
)
def test_long_strings_are_as_long_as_they_may_be(can_write: CanWrite, least: int, most: int) -> None:
    form = json.dumps({"type": "string", "minLength": least, "maxLength": most})
    for n in {0, 1, least - 1, least, least + 1, 255, 256, 511, 512, 513, 768, most - 1, most, most + 1} - {-1}:
        assert can_write(form, json.dumps("é" * n, ensure_ascii=False)) == (least <= n <= most), n
        assert can_write(form, json.dumps("\n" * n)) == (least <= n <= most), n


def test_a_long_string_does_not_wear_the_lexer_out() -> None:
    """Each byte's mask makes lexer states, of which there may be 250,000; read in pieces, a text needs few."""
    form = json.dumps({"type": "string", "maxLength": 3000})
    limits = LLParserLimits(max_lexer_states=12_000)
    matcher = LLMatcher(LLTokenizer("byte"), LLMatcher.grammar_from_lark(build_grammar(form)), limits=limits)
    for byte in json.dumps("a" * 3000).encode():
        matcher.compute_bitmask()
        assert matcher.consume_token(byte), matcher.get_error()[:200]
    assert matcher.is_accepting()


def test_a_union_keeps_every_way_open(can_write: CanWrite) -> None:
    """The lexer reads the longest piece: none of one branch may begin one of another and so shut it out."""
    form = json.dumps(
        {
            "anyOf": [
                {"enum": ["abc", -1, [1], {"a": 1}]},
                {"type": "string", "maxLength": 600},
                {"type": "string", "pattern": "^ab+$", "maxLength": 5},
                {"type": "string", "format": "date", "maxLength": 10},
                {"type": "integer", "minimum": -20, "maximum": 20},
                {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
                {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "required": []},
                {
                    "type": "object",
                    "patternProperties": {"^.{1,3}$": {"type": "boolean"}},
                    "maxProperties": 2,
                    "x-key-length": 3,
                },
            ]
        }
    )
    good = ["abc", "ab", "abbb", "abcd", "2024-02-29", "2024-02-30", "2", -1, -12, 1, [1], [True], [], {"a": 1}]
    for value in [*good, {"a": None}, {"a": True}, {"ab": True}, {}, {"b": None}, {"b": False, "a": True}]:
        assert can_write(form, json.dumps(value)), value
    for value in (-21, 21, 1.5, [2], [True] * 3, {"a": 2}, {"abcd": True}, "x" * 601):
        assert not can_write(form, json.dumps(value)), value


def test_an_object_of_many_optional_properties(can_write: CanWrite) -> None:
    names = [f"property {n}" for n in range(MAX_OPTIONAL)]
    form = object_of({name: {"type": "null"} for name in names}, [])
    began = time.process_time()
    assert grammar_error(form) == ""
    assert time.process_time() - began < 2
    for chosen in (names, names[-1:], names[::7], []):
        assert can_write(form, json.dumps(dict.fromkeys(chosen)))
    assert "at most 600" in grammar_error(object_of({str(n): {"type": "null"} for n in range(601)}, []))


def test_a_union_of_objects_with_many_optional_properties(can_write: CanWrite) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "object", "properties": {f"{i} {n}": {"type": "null"} for n in range(100)}, "required": []}
        for i in range(7)
    ]
    form = json.dumps({"anyOf": parts[:6]})
    for part in parts[:6]:
        assert can_write(form, json.dumps(dict.fromkeys(part["properties"])))
    assert "700 optional properties" in grammar_error(json.dumps({"anyOf": parts}))


def test_an_enum_of_many_objects(can_write: CanWrite) -> None:
    """Beyond the limit llguidance stops in the middle of an answer: it is told when the schema is loaded."""
    values = [{"k": n} for n in range(MAX_OPTIONAL)]
    form = object_of({"a": {"enum": values}})
    assert grammar_error(form) == ""
    assert can_write(form, json.dumps({"a": values[-1]}))
    assert "at most 600" in grammar_error(object_of({"a": {"enum": [*values, {"k": "x"}]}}))


def test_equal_parts_are_written_once() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}, "required": ["a"]}
    one, many = object_of({"x": part}), object_of({f"x{n}": part for n in range(50)})
    assert len(build_grammar(many).splitlines()) == len(build_grammar(one).splitlines())


NULL: dict[str, Any] = {"type": "null"}
NEVER: dict[str, Any] = {"enum": []}


@pytest.mark.parametrize(
    "node",
    [
        NEVER,
        {"anyOf": [NEVER, {"type": "string", "minLength": 2, "maxLength": 1}]},
        {"type": "array", "items": NEVER, "minItems": 1, "maxItems": 3},
        {"type": "array", "items": NULL, "minItems": 4, "maxItems": 3},
        {"type": "array", "prefixItems": [NULL, NEVER], "minItems": 2},
        {"type": "object", "properties": {"a": NEVER}, "required": ["a"]},
        {
            "type": "object",
            "patternProperties": {"^a$": NEVER},
            "minProperties": 1,
            "maxProperties": 1,
            "x-key-length": 1,
        },
        {"type": "integer", "minimum": 0.2, "maximum": 0.8},
        {"type": "string", "format": "date", "minLength": 11, "maxLength": 20},
        {"type": "string", "format": "date-time", "minLength": 21, "maxLength": 21},
    ],
)
def test_what_has_no_value_is_told_and_what_surrounds_it_goes_on(can_write: CanWrite, node: dict[str, Any]) -> None:
    assert grammar_error(json.dumps(node)) == "no value at all satisfies it"
    for around in (
        {"anyOf": [node, NULL]},
        {"type": "array", "items": node, "maxItems": 3},
        {"type": "array", "prefixItems": [NULL, node], "minItems": 1},
        {"type": "object", "properties": {"a": node, "b": NULL}, "required": ["b"]},
        {"type": "object", "patternProperties": {"^.{1,9}$": node}, "maxProperties": 3, "x-key-length": 9},
    ):
        assert grammar_error(json.dumps(around)) == ""
    assert can_write(json.dumps({"anyOf": [node, NULL]}), "null")
    assert can_write(json.dumps({"type": "array", "prefixItems": [NULL, node], "minItems": 1}), "[null]")
    assert can_write(object_of({"a": node, "b": NULL}, ["b"]), '{"b": null}')


@pytest.mark.parametrize(
    "form", ['{"type": "number-ish"}', '{"type": "object"}', '{"type": "string"}', "{}", '{"a": 1}']
)
def test_what_is_no_decoder_form_is_refused(form: str) -> None:
    with pytest.raises(SchemaError, match="not a"):
        build_grammar(form)
    assert grammar_error(form).startswith("not a")


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        build_grammar("{")


def test_a_tuple_of_many(can_write: CanWrite) -> None:
    form = json.dumps({"type": "array", "prefixItems": [NULL] * 900, "minItems": 1, "maxItems": 900})
    assert grammar_error(form) == ""
    for n in (0, 1, 2, 900, 901):
        assert can_write(form, json.dumps([None] * n)) == (1 <= n <= 900)


def test_deep_forms(can_write: CanWrite) -> None:
    form, answer = dict(NULL), "null"
    for _ in range(100):
        form = {"type": "object", "properties": {"a": form, "b": NULL}, "required": ["a"]}
        answer = f'{{"a": {answer}}}'
    assert grammar_error(json.dumps(form)) == ""
    assert can_write(json.dumps(form), answer)


@pytest.mark.parametrize(
    ("text", "least", "most", "cost"),
    [
        ({"pattern": "^[A-Z]{3}-[0-9]{4}$"}, 8, 8, 1),
        ({"pattern": "^[a-z]+$"}, 1, None, 1),
        ({"pattern": '^a"{0,2}$'}, 1, 3, 2),
        ({"pattern": "^é{2}$"}, 2, 2, 4),
        ({"pattern": "b"}, 1, None, 4),
        ({"format": "uuid"}, 36, 36, 1),
        ({"format": "ipv4"}, 7, 15, 1),
        ({"format": "email"}, 3, None, 1),
        ({}, 0, None, 4),
    ],
)
def test_the_limits_of_patterns_are_measured(text: dict[str, str], least: int, most: int | None, cost: int) -> None:
    limits = text_limits(text)
    assert (limits.least, limits.most, limits.bytes_per_character) == (least, most, cost)


def test_what_llguidance_cannot_take_of_a_text_is_left_out() -> None:
    assert enforceable_text({"pattern": "^(?!a)b$", "format": "date"}) == {"format": "date"}
    assert enforceable_text({"pattern": "^a$", "format": "no-such"}) == {"pattern": "^a$"}
    assert enforceable_text({"pattern": "^a$", "minLength": 2}) == {}


@pytest.mark.parametrize(
    ("pattern", "texts", "others"),
    [
        (r"^\W$", ["-", "\u00a0", "😀"], ["a", "é", "٣", "½", "_"]),
        (r"^[\D]$", ["a", "é"], ["1", "٣"]),
        (r"^[^\s@]$", ["a", "é", "."], [" ", "\u00a0", "\u2028", "\u0085", "@"]),
        (r"^\S\D[\Wx][^\w-]$", ["aax.", "éé..", "..-é"[:3] + "!"], ["\u3000a..", "a٣..", "aaé.", "aa.é", "aa.-"]),
        (r"^a\u000d?b\x0A$", ["ab\n"], ["ab"]),
        (r"^(\x00|\x08|\x1F|\x7f|\u0007|x)$", ["x"], [""]),
        ('^[^"]$', ["a", "\\", "\n", "é"], ['"']),
        (r"^[^\\a]$", ['"', "\t", "b"], ["\\", "a"]),
        (r"^[\x00-\x1fa]$", ["a", "\n", "\t"], ['"', "\\"]),
        (r"^[^]a]$", ["b", '"'], ["]", "a"]),
        (r"^[]a]$", ["a", "]"], ["b", '"']),
        (r"^[^[\]]$", ["a"], ["[", "]"]),
        (r"^[a-c&&[b]$", ["a", "&", "["], ["d"]),
        (r"^[[:alpha:]]$", ["[]", "a]", ":]"], ["b", "b]"]),
        (r"^\[[^\]]\]$", ["[a]", "[[]"], ["[]]"]),
        (r"^a\r?b$", ["ab"], ["a", "a\nb"]),
        (r"^(\r\n|x)$", ["x"], ["\n", ""]),
    ],
)
def test_a_pattern_means_what_it_means_to_python(
    can_write: CanWrite, pattern: str, texts: list[str], others: list[str]
) -> None:
    """llguidance lets the quote be written for `[^"]`, drops a carriage return, and knows sets in sets."""
    assert enforceable_text({"pattern": pattern}) == {"pattern": pattern}
    form = json.dumps({"type": "string", "pattern": pattern, "maxLength": 9})
    with warnings.catch_warnings(category=FutureWarning, action="ignore"):  # Python's, of sets in sets
        read = re.compile(pattern)
    for text in (*texts, *others):
        assert can_write(form, json.dumps(text, ensure_ascii=False)) == (text in texts) == bool(read.search(text)), text


@pytest.mark.parametrize("pattern", [r"^\r\n$", r"^\x00+$", r"^[\x0b\x0c]$", r"^\x7f$", "^[+--]$"])
def test_a_pattern_that_no_text_we_write_has_is_left_to_the_validator(pattern: str) -> None:
    """Else it is found when an answer stops at that place."""
    assert enforceable_text({"pattern": pattern}) == {}


def test_the_grammar_is_text_that_vllm_takes_for_lark() -> None:
    """vLLM takes a grammar for Lark when a line begins with `start:` and none has the other syntax's sign."""
    text = build_grammar(object_of({"::=": {"type": "string", "pattern": "^::=$", "maxLength": 3}}))
    assert re.match(r"start: \w+\n", text)
    assert "::=" not in text
