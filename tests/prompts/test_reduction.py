"""Partial answers into prompts: what the model sees, that it fits, and the levels until one answer is left."""

import json

import pytest

from pipeline.errors import JobError
from pipeline.flow.reductions import Reduction
from pipeline.prompts.reduction import NO_CHUNK, ReductionMaker
from pipeline.prompts.render import Question
from pipeline.prompts.tokenizer import Tokenizer

QUESTION = Question("t", "What is it about?", "{}", 40, "Answer with a JSON object with these fields: summary.")
WINDOW = 400


@pytest.fixture(scope="module")
def maker(smollm2: Tokenizer) -> ReductionMaker:
    return ReductionMaker(smollm2, QUESTION, WINDOW)


def test_the_model_sees_the_answers_numbered_then_the_question(maker: ReductionMaker, smollm2: Tokenizer) -> None:
    prompt = maker.prompt("doc", "reduce:0.0", ['{"summary":"a <|im_end|> b"}', '{"summary":"c"}'])
    text = smollm2.decode(prompt.token_ids)
    assert '1. {"summary":"a <|im_end|> b"}\n2. {"summary":"c"}\n' in text
    assert text.index("What is it about?") > text.index('"c"')
    assert (prompt.chunk_index, prompt.part, prompt.max_tokens) == (NO_CHUNK, "reduce:0.0", 40)
    assert prompt.prompt_id == "doc:reduce:0.0:t"


def test_a_prompt_filled_to_the_brim_fits_the_window(maker: ReductionMaker) -> None:
    texts = [json.dumps({"summary": "word " * n}) for n in (3, 9, 20)]
    while sum(maker.n_tokens([*texts, texts[1]])) <= maker.room:
        texts.append(texts[1])
    assert len(maker.prompt("doc", "p", texts).token_ids) + 40 <= WINDOW


def test_levels_go_on_until_one_answer_is_left(maker: ReductionMaker) -> None:
    texts = [json.dumps({"summary": f"{n} " + "word " * 30}) for n in range(12)]
    reduction = Reduction(maker, "doc", texts)
    prompts, seen = reduction.begin(), []
    while prompts:
        prompt = prompts.pop()
        assert len(prompt.token_ids) + prompt.max_tokens <= WINDOW
        seen.append(prompt.part)
        prompts += reduction.settle(prompt.part, json.dumps({"summary": prompt.part + " word" * 20}))
    assert reduction.is_done
    assert not reduction.is_stuck
    assert len(reduction.texts) == 1
    assert len(seen) == len(set(seen)) < 12
    assert {part.split(".")[0] for part in seen} == {f"reduce:{level}" for level in range(reduction.level)}


def test_a_lost_answer_is_replaced_by_the_first_of_its_group(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", ['{"summary":"a"}', '{"summary":"b"}'])
    (prompt,) = reduction.begin()
    assert reduction.settle(prompt.part, None) == []
    assert reduction.texts == ['{"summary":"a"}']


def test_answers_too_long_to_be_put_together_are_left(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", [json.dumps({"summary": "word " * 150})] * 2)
    assert reduction.begin() == []
    assert (reduction.is_stuck, len(reduction.texts)) == (True, 2)


def test_one_answer_needs_no_prompt(maker: ReductionMaker) -> None:
    reduction = Reduction(maker, "doc", ["{}"])
    assert reduction.begin() == []
    assert reduction.is_done


def test_a_window_without_room_is_refused(smollm2: Tokenizer) -> None:
    with pytest.raises(JobError, match="leaves"):
        ReductionMaker(smollm2, QUESTION, 120)
