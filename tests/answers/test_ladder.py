"""What is tried after a failed attempt, code by code."""

import pytest

from pipeline.answers.ladder import HOPELESS, Ladder
from pipeline.errors import RejectCode, Stage
from pipeline.prompts.prompt import Prompt

LADDER = Ladder(max_attempts=3, temperature=0.0, step=0.3, context_window=1000)
PROMPT = Prompt("d:0:t", "d", 0, "t", list(range(100)), 200, "{}")
OF_ANSWERS = [code for code in RejectCode if code.stage in (Stage.GENERATE, Stage.VALIDATE)]


@pytest.mark.parametrize("code", [RejectCode.INVALID_JSON, RejectCode.SCHEMA_VIOLATION])
def test_an_invalid_answer_is_sampled_warmer_each_time(code: RejectCode) -> None:
    second = LADDER.next_attempt(PROMPT, code, 1)
    assert second is not None
    assert (second.attempt, second.temperature, second.max_tokens) == (1, 0.3, 200)
    third = LADDER.next_attempt(second, code, 2)
    assert third is not None
    assert (third.attempt, third.temperature) == (2, 0.6)
    assert LADDER.next_attempt(third, code, 3) is None


@pytest.mark.parametrize("code", [RejectCode.ENGINE_FAILED, RejectCode.ENGINE_TIMEOUT])
def test_an_engine_s_fault_is_tried_again_as_it_was(code: RejectCode) -> None:
    second = LADDER.next_attempt(PROMPT, code, 1)
    assert second is not None
    assert (second.attempt, second.temperature, second.max_tokens) == (1, None, 200)


def test_a_cut_answer_gets_room_as_far_as_the_window_goes_and_is_then_sampled() -> None:
    tokens, prompt = [], PROMPT
    for n_asked in range(1, 3):
        following = LADDER.next_attempt(prompt, RejectCode.TRUNCATED, n_asked)
        assert following is not None
        prompt = following
        tokens.append(prompt.max_tokens)
    assert tokens == [400, 800]
    last = Ladder(9, 0.0, 0.3, 900).climb(prompt, RejectCode.TRUNCATED)
    assert last.max_tokens == 800
    assert last.temperature == pytest.approx(0.9)
    assert len(last.token_ids) + last.max_tokens <= 1000


@pytest.mark.parametrize("code", sorted(HOPELESS))
def test_what_cannot_help_is_not_tried(code: RejectCode) -> None:
    assert LADDER.next_attempt(PROMPT, code, 1) is None
    assert LADDER.climb(PROMPT, code).attempt == 1  # but a person may ask for it


@pytest.mark.parametrize("code", OF_ANSWERS)
def test_every_code_of_an_answer_has_its_rung(code: RejectCode) -> None:
    assert (LADDER.next_attempt(PROMPT, code, 1) is None) == (code in HOPELESS)
    assert Ladder(1, 0.0, 0.3, 1000).next_attempt(PROMPT, code, 1) is None
