"""Partial answers into prompts: what the model sees, and that it fits."""

import json

import pytest

from pipeline.errors import JobError
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
    assert prompt.prompt_id == "doc:reduce-0.0:t"


def test_a_prompt_filled_to_the_brim_fits_the_window(maker: ReductionMaker) -> None:
    texts = [json.dumps({"summary": "word " * n}) for n in (3, 9, 20)]
    while sum(maker.n_tokens([*texts, texts[1]])) <= maker.room:
        texts.append(texts[1])
    assert len(maker.prompt("doc", "p", texts).token_ids) + 40 <= WINDOW


def test_a_window_without_room_is_refused(smollm2: Tokenizer) -> None:
    with pytest.raises(JobError, match="leaves"):
        ReductionMaker(smollm2, QUESTION, 120)
