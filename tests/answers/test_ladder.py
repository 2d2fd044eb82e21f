"""What is tried after a failed attempt, code by code."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.answers.ladder import HOPELESS, NOT_ALL, Again, End, Ladder, Split, Step
from pipeline.answers.record import Invalid, Kept, Record
from pipeline.errors import RejectCode, Stage
from pipeline.prompts.prompt import Prompt
from pipeline.schema.json_text import JSON
from pipeline.schema.load import Contract

LADDER = Ladder(max_attempts=3, temperature=0.0, step=0.3, context_window=20_000)
OF_ANSWERS = [code for code in RejectCode if code.stage in (Stage.GENERATE, Stage.VALIDATE)]


@pytest.fixture(scope="session")
def contract(contract_of: Callable[..., Contract]) -> Contract:
    """One whose shares grow with max_tokens (4,096)."""
    return contract_of({"text": {"type": "string"}, "more": {"type": "string"}})


@pytest.fixture(scope="session")
def prompt(contract: Contract) -> Prompt:
    return Prompt("d:0:t", "d", 0, "t", list(range(100)), contract.max_tokens, contract.decoder_schema)


def failed(code: RejectCode, prompt: Prompt) -> Kept | Invalid:
    """An answer that failed so; one that is full to its share has text that fills it."""
    if not code.keeps_values:
        return Invalid(code, "it failed")
    node = json.loads(prompt.decoder_schema)["properties"]["text"]
    values: dict[str, JSON] = {"text": "x" * node["maxLength"]}
    return Kept(Record("d", 0, "t", values), code, "it is full", values)


def step(prompt: Prompt, code: RejectCode, contract: Contract, n_asked: int = 1, **options: Any) -> Step:
    ladder, answer = options.pop("ladder", LADDER), failed(code, prompt)
    found: Step = ladder.next_step(prompt, answer, contract, n_asked, can_split=options.pop("can_split", True))
    return found


def again(found: Step) -> Prompt:
    assert isinstance(found, Again)
    return found.prompt


@pytest.mark.parametrize("code", [RejectCode.INVALID_JSON, RejectCode.SCHEMA_VIOLATION])
def test_an_invalid_answer_is_told_why_and_sampled_warmer(prompt: Prompt, contract: Contract, code: RejectCode) -> None:
    first = step(prompt, code, contract)
    assert isinstance(first, Again)
    assert first.says_why
    second = first.prompt
    assert (second.attempt, second.temperature, second.max_tokens) == (1, 0.3, 4096)
    third = again(step(second, code, contract, 2))
    assert (third.attempt, third.temperature) == (2, 0.6)
    assert step(third, code, contract, 3) == End()


@pytest.mark.parametrize("code", [RejectCode.ENGINE_FAILED, RejectCode.ENGINE_TIMEOUT])
def test_an_engine_s_fault_is_tried_again_as_it_was(prompt: Prompt, contract: Contract, code: RejectCode) -> None:
    second = step(prompt, code, contract)
    assert isinstance(second, Again)
    assert not second.says_why
    assert (second.prompt.attempt, second.prompt.temperature, second.prompt.max_tokens) == (1, None, 4096)
    assert step(second.prompt, code, contract, 3) == End()


@pytest.mark.parametrize("code", [RejectCode.TRUNCATED, RejectCode.SALVAGED, RejectCode.LIMIT_REACHED])
def test_more_room_twice_as_far_as_the_window_goes_and_then_two_halves(
    prompt: Prompt, contract: Contract, code: RejectCode
) -> None:
    second = again(step(prompt, code, contract))
    assert (second.attempt, second.temperature, second.max_tokens) == (1, None, 8192)
    length = json.loads(second.decoder_schema)["properties"]["text"]["maxLength"]
    assert length > json.loads(prompt.decoder_schema)["properties"]["text"]["maxLength"]
    third = again(step(second, code, contract, 2))
    assert third.max_tokens == 8192 * 2
    assert step(third, code, contract, 3) == Split()
    assert step(third, code, contract, 3, can_split=False) == End()


def test_what_the_window_has_left_comes_in_eighths(prompt: Prompt, contract: Contract) -> None:
    found = {
        window: step(prompt, RejectCode.TRUNCATED, contract, ladder=Ladder(3, 0.0, 0.3, window), can_split=False)
        for window in (4196, 4196 + 511, 4196 + 512, 4196 + 1300, 4196 + 4095, 4196 + 4096, 4196 + 9999)
    }
    tokens = [again(one).max_tokens for one in found.values()]
    assert tokens == [4096, 4096, 4608, 5120, 4096 + 7 * 512, 8192, 8192]
    assert again(found[4196]).temperature == 0.3, "without any room it is sampled"


def test_a_share_that_would_not_grow_is_split_at_once(contract_of: Callable[..., Contract]) -> None:
    few = contract_of({"text": {"type": "string"}, "names": {"type": "array", "items": {"enum": ["a"]}}})
    huge = Prompt("d:0:t", "d", 0, "t", [1], 600_000, few.decoder_for(600_000))
    wide = Ladder(3, 0.0, 0.3, 9_000_000)
    assert step(huge, RejectCode.LIMIT_REACHED, few, ladder=wide) == Split(), "as long as any string may get"
    assert again(step(huge, RejectCode.TRUNCATED, few, ladder=wide)).max_tokens == 1_200_000


def test_a_short_list_is_split_and_asked_again_only_where_it_cannot_be(prompt: Prompt, contract: Contract) -> None:
    assert step(prompt, RejectCode.LIST_SHORT, contract) == Split()
    second = step(prompt, RejectCode.LIST_SHORT, contract, can_split=False)
    assert isinstance(second, Again)
    assert not second.says_why
    assert (second.prompt.max_tokens, second.prompt.temperature) == (4096, 0.3)
    assert step(prompt, RejectCode.LIST_SHORT, contract, 3, can_split=False) == End()


@pytest.mark.parametrize("code", sorted(HOPELESS))
def test_what_cannot_help_is_not_tried(prompt: Prompt, contract: Contract, code: RejectCode) -> None:
    assert step(prompt, code, contract) == End()
    assert LADDER.climb(prompt, failed(code, prompt), contract).prompt.attempt == 1  # but a person may ask for it


def test_a_grown_attempt_that_the_engine_refuses_is_split(prompt: Prompt, contract: Contract) -> None:
    grown = again(step(prompt, RejectCode.TRUNCATED, contract))
    assert step(grown, RejectCode.ENGINE_REFUSED, contract, 2) == Split()
    assert step(grown, RejectCode.ENGINE_REFUSED, contract, 2, can_split=False) == End()


@pytest.mark.parametrize("code", OF_ANSWERS)
def test_every_code_of_an_answer_has_its_rung(prompt: Prompt, contract: Contract, code: RejectCode) -> None:
    assert isinstance(step(prompt, code, contract, can_split=False), End) == (code in HOPELESS)
    once = Ladder(1, 0.0, 0.3, 20_000)
    assert step(prompt, code, contract, ladder=once) == (Split() if code in NOT_ALL else End())
    assert step(prompt, code, contract, ladder=once, can_split=False) == End()
