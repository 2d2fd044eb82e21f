"""Values with quotes: the form that is asked for, and that the plain answer comes back out of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.citations import Citation, take_quotes
from pipeline.answers.read import Answer, read_answer
from pipeline.answers.record import Invalid
from pipeline.errors import SchemaError
from pipeline.schema.citing import QUOTE_LENGTH, is_cited, with_quotes
from pipeline.schema.load import Contract, load_contract
from pipeline.schema.normal import normalise

TEXT = {"type": "string", "x-evidence": True}


def cite_by_hand(value: Any, name: str) -> dict[str, Any]:
    return {"quote": "q", name: value}


def asked(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties of the form that is asked for, without what only marks it."""
    form = with_quotes(normalise({"type": "object", "properties": properties}))
    found: dict[str, Any] = form["properties"]
    return found


def cited(value: dict[str, Any], name: str = "a") -> dict[str, Any]:
    quote = {"type": "string", "minLength": 1, "x-quote": True}
    return {
        "type": "object",
        "properties": {"quote": quote, name: value},
        "required": ["quote", name],
        "additionalProperties": {"enum": []},
        "x-cited": True,
    }


def test_a_value_stands_behind_its_quote() -> None:
    assert asked({"a": TEXT, "b": {"type": "integer"}}) == {"a": cited({"type": "string"}), "b": {"type": "integer"}}


def test_null_stands_for_both() -> None:
    found = asked({"a": {"type": ["string", "null"], "description": "A", "x-evidence": True}})
    assert found["a"]["anyOf"] == [cited({"type": "string"}), {"type": "null"}]
    assert found["a"]["description"] == "A"
    found = asked({"a": {"enum": ["x", "y", None], "x-evidence": True}})
    assert found["a"]["anyOf"] == [cited({"enum": ["x", "y"]}), {"type": "null"}]


def test_of_a_list_each_item_has_its_own() -> None:
    node = {"type": ["array", "null"], "items": {"type": "string"}, "x-evidence": True}
    found = asked({"a": node})["a"]["anyOf"]
    assert found[0]["items"] == cited({"type": "string"})
    assert found[1] == {"type": "null"}
    both = asked({"a": {"type": "array", "items": TEXT, "x-evidence": True}})["a"]
    assert both["items"] == cited({"type": "string"})


def test_an_item_that_is_null_has_none() -> None:
    node = {"type": "array", "items": {"type": ["string", "null"]}, "x-evidence": True}
    found = asked({"a": node})["a"]["items"]["anyOf"]
    assert found == [cited({"type": "string"}), {"type": "null"}]
    both = {**node, "items": {"type": ["string", "null"], "x-evidence": True}}
    assert asked({"a": both})["a"]["items"]["anyOf"] == found


def test_of_an_object_the_whole_has_one_and_its_fields_may_have_theirs() -> None:
    party = {"type": "object", "properties": {"name": TEXT, "role": {"type": "string"}}, "x-evidence": True}
    found = asked({"party": party})["party"]
    inside = found["properties"]["party"]["properties"]
    assert inside == {"name": cited({"type": "string"}, "name"), "role": {"type": "string"}}


def test_a_union_has_one_quote_for_all_its_branches_but_lists() -> None:
    found = asked({"a": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}, TEXT]}})["a"]
    kinds = [branch.get("type") for branch in found["anyOf"]]
    assert kinds == ["integer", "array", "object"]
    found = asked({"a": {"type": ["integer", "string", "array"], "x-evidence": True}})["a"]
    assert [branch.get("x-cited", False) for branch in found["anyOf"]] == [False, True]
    assert is_cited(found["anyOf"][0]["items"])


def test_a_value_without_a_name_or_with_that_of_its_quote_is_called_value() -> None:
    assert asked({"quote": TEXT}) == {"quote": cited({"type": "string"}, "value")}
    assert with_quotes(normalise(TEXT)) == cited({"type": "string"}, "value")
    of_map = asked({"rates": {"type": "object", "additionalProperties": TEXT}})["rates"]
    assert of_map["additionalProperties"] == cited({"type": "string"}, "rates")


def test_a_schema_that_asks_for_none_is_left_as_it_is() -> None:
    normal = normalise({"type": "object", "properties": {"a": {"type": "string", "x-evidence": False}}})
    assert with_quotes(normal) is normal


Make = Callable[[Any], Contract]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    path: Path = tmp_path_factory.mktemp("schemas") / "s.json"

    def load(schema: Any) -> Contract:
        path.write_text(json.dumps(schema), encoding="utf-8")
        return load_contract(path, 20_000)

    return load


def test_the_grammar_writes_quotes_and_the_table_knows_none(make: Make) -> None:
    properties = {"a": TEXT, "n": {"type": ["integer", "null"], "x-evidence": True}}
    contract = make({"type": "object", "properties": properties, "required": ["a", "n"]})
    form = json.loads(contract.decoder_schema)["properties"]
    assert form["a"]["properties"]["quote"]["maxLength"] == QUOTE_LENGTH
    assert "x-share" not in form["a"]["properties"]["quote"]  # a quote that was cut is found all the same
    assert [column.type_text for column in contract.columns] == ["string", "int64"]
    assert contract.asks_for_quotes
    assert contract.longest_bytes <= 20_000


@pytest.mark.parametrize("root", [{"type": "array", "items": {"type": "string"}}, {"type": "integer"}])
def test_an_answer_that_is_no_object_can_be_cited(make: Make, root: dict[str, Any]) -> None:
    contract = make({**root, "x-evidence": True})
    assert contract.is_wrapped
    assert contract.asks_for_quotes
    assert is_cited(contract.asked)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "object", "properties": {"a": {"x-evidence": "yes"}}}, "expected true or false"),
        ({"type": "object", "properties": {"a": TEXT}, "x-evidence": True}, "write it at one of its properties"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Make, schema: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        make(schema)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": ["string", "null"], "x-evidence": True},
        "kind": {"enum": ["lease", "sale", None], "x-evidence": True},
        "parties": {"type": "array", "items": {"type": "string"}, "x-evidence": True},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"what": TEXT, "n": {"type": "integer"}},
                "required": ["what", "n"],
                "additionalProperties": False,
            },
        },
        "rates": {"type": "object", "additionalProperties": {"type": "integer", "x-evidence": True}},
        "party": {
            "type": "object",
            "properties": {"name": TEXT, "at": {"type": "string"}},
            "required": ["name", "at"],
            "additionalProperties": False,
            "x-evidence": True,
        },
        "plain": {"type": "string"},
    },
    "required": ["title", "kind", "parties", "lines", "rates", "party", "plain"],
    "additionalProperties": False,
}
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
plain_answers = st.fixed_dictionaries(
    {
        "title": st.none() | words,
        "kind": st.sampled_from(["lease", "sale", None]),
        "parties": st.lists(words, max_size=3),
        "lines": st.lists(st.fixed_dictionaries({"what": words, "n": st.integers(0, 9)}), max_size=3),
        "rates": st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=2),
        "party": st.fixed_dictionaries({"name": words, "at": words}),
        "plain": words,
    }
)


@given(plain_answers, st.data())
@settings(max_examples=200, deadline=None)
def test_what_was_wrapped_comes_back(make: Make, plain: dict[str, Any], data: st.DataObject) -> None:
    """Wrapped by hand, an answer satisfies the decoder form; taken apart, it is what it was."""
    citations: list[Citation] = []

    def cite(pointer: str, value: Any, written: Any = None) -> Any:
        if value is None:
            return None
        quote = data.draw(words)
        citations.append(Citation(pointer, quote, value))
        name = "rates" if pointer.startswith("/rates/") else pointer.rstrip("/0123456789").rpartition("/")[2]
        return {"quote": quote, name: value if written is None else written}

    lines = plain["lines"]
    wrapped = {
        "title": cite("/title", plain["title"]),
        "kind": cite("/kind", plain["kind"]),
        "parties": [cite(f"/parties/{i}", name) for i, name in enumerate(plain["parties"])],
        "lines": [{"what": cite(f"/lines/{i}/what", x["what"]), "n": x["n"]} for i, x in enumerate(lines)],
        "rates": {key: cite(f"/rates/{key}", rate) for key, rate in plain["rates"].items()},
    }
    name = cite("/party/name", plain["party"]["name"])
    wrapped["party"] = cite("/party", plain["party"], {"name": name, "at": plain["party"]["at"]})
    wrapped["plain"] = plain["plain"]
    contract = make_once(make)
    jsonschema.validate(wrapped, json.loads(contract.decoder_schema))
    bare, found = take_quotes(wrapped, contract.asked)
    assert bare == plain
    assert sorted(found, key=str) == sorted(citations, key=str)


_ONCE: list[Contract] = []


def make_once(make: Make) -> Contract:
    """One contract for all examples."""
    if not _ONCE:
        _ONCE.append(make(SCHEMA))
    return _ONCE[0]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["quote", "title", "parties", "a"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(SCHEMA["properties"])), json_values) | json_values)
@settings(max_examples=300, deadline=None)
def test_no_answer_is_too_odd_to_be_taken_apart(make: Make, written: Any) -> None:
    bare, found = take_quotes(written, make_once(make).asked)
    json.dumps(bare)
    assert all(isinstance(citation.quote, str) and citation.value is not None for citation in found)


def test_a_value_without_its_quote_is_cited_for_nothing(make: Make) -> None:
    bare, found = take_quotes({"title": "T", "parties": [{"parties": "A"}, {"quote": "B"}]}, make_once(make).asked)
    assert bare == {"title": "T", "parties": ["A", None]}
    assert found == (Citation("/title", "", "T"), Citation("/parties/0", "", "A"))


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


PLAIN_TEXT = {"type": "string"}
KINDS = [closed(kind={"const": "y"}, n=PLAIN_TEXT), closed(kind={"const": "x"}, n=TEXT)]
INSIDE = [closed(kind={"const": "y"}, n=closed(n=PLAIN_TEXT)), closed(kind={"const": "x"}, n=TEXT)]


@pytest.mark.parametrize(
    ("branches", "written", "bare", "quoted"),
    [
        ([{"type": "integer"}, TEXT], 5, 5, []),
        ([{"type": "integer"}, TEXT], cite_by_hand("t", "a"), "t", ["/a"]),
        (KINDS, {"kind": "y", "n": "t"}, {"kind": "y", "n": "t"}, []),
        (KINDS, {"kind": "x", "n": cite_by_hand("t", "n")}, {"kind": "x", "n": "t"}, ["/a/n"]),
        (KINDS[::-1], {"kind": "y", "n": "t"}, {"kind": "y", "n": "t"}, []),
        (INSIDE, {"kind": "y", "n": {"n": "t"}}, {"kind": "y", "n": {"n": "t"}}, []),
        ([closed(n=PLAIN_TEXT), TEXT], {"n": "t"}, {"n": "t"}, []),
        ([closed(n=PLAIN_TEXT), TEXT, {"type": "null"}], None, None, []),
    ],
)
def test_only_the_branches_of_a_union_that_ask_have_quotes(
    make: Make, branches: list[Any], written: Any, bare: Any, quoted: list[str]
) -> None:
    contract = make(closed(a={"anyOf": branches}))
    jsonschema.validate({"a": written}, json.loads(contract.decoder_schema))
    answer = read_answer(json.dumps({"a": written}), contract)
    assert isinstance(answer, Answer)
    assert answer.values == {"a": bare}
    assert [citation.pointer for citation in answer.citations] == quoted


def test_an_answer_nested_too_deeply_for_a_union_is_none(make: Make) -> None:
    contract = make(closed(a={"anyOf": [{"type": "array", "items": {"type": "array"}}, TEXT]}))
    assert isinstance(read_answer('{"a":' + "[" * 900 + "]" * 900 + "}", contract), Invalid | Answer)
