"""Real engines write whole, valid answers whatever the schema: SmolLM2, and random weights, the worst writer there is.

The long form, 200 answers each, is benchmarks/answers.py.
"""

from collections.abc import Callable, Iterator

import pytest
from answering import (
    CONTEXT_WINDOW,
    MAX_TOKENS,
    Case,
    Outcome,
    answer_all,
    iter_asked,
    judge,
    load_cases,
    load_contracts,
)

from pipeline.engines.engine import Engine
from pipeline.engines.settings import EngineSettings
from pipeline.engines.vllm_offline import VllmEngine
from pipeline.models import ModelFolder
from pipeline.prompts.tokenizers import load_tokenizer

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def cases(smollm2_model: ModelFolder) -> list[Case]:
    return load_cases(load_tokenizer("auto", smollm2_model.path), load_contracts())


@pytest.fixture(scope="module")
def tightest(cases: list[Case]) -> list[Case]:
    """Each schema with the fewest tokens that are enough."""
    return list({case.contract.name: case for case in reversed(cases)}.values())[::-1]


@pytest.fixture(scope="module")
def random_engine(tiny_model: ModelFolder, make_settings: Callable[..., EngineSettings]) -> Iterator[VllmEngine]:
    engine = VllmEngine(make_settings(tiny_model, context_window=CONTEXT_WINDOW))
    engine.start()
    yield engine
    engine.close()


def test_there_is_enough_to_ask(cases: list[Case], tightest: list[Case]) -> None:
    assert len(tightest) >= 15
    for max_tokens in MAX_TOKENS:
        assert len([case for case in cases if case.prompt.max_tokens == max_tokens]) >= 5


def test_smollm2_completes_every_answer(smollm2_engine: VllmEngine, tightest: list[Case]) -> None:
    assert failures(smollm2_engine, tightest, 24) == []


def test_random_weights_complete_every_answer(random_engine: VllmEngine, cases: list[Case]) -> None:
    assert failures(random_engine, cases, 60) == []


def failures(engine: Engine, cases: list[Case], number: int) -> list[str]:
    asked = list(iter_asked(cases, number))
    answers = answer_all(engine, [prompt for _, prompt in asked])
    judged = [(prompt.prompt_id, *judge(answers[prompt.prompt_id], case.contract)) for case, prompt in asked]
    good = (Outcome.VALID, Outcome.KEY_TWICE)
    return [f"{name} is {outcome}: {why}" for name, outcome, why in judged if outcome not in good]
