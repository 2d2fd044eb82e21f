"""Real answers to questions about small documents: who asks, what is asked, and what came of it.

The schemas and documents lie in `answers_schemas/`, NAME.json and NAME.txt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from pipeline.answers.record import Invalid
from pipeline.answers.validate import parse_answer
from pipeline.engines.engine import Engine, FinishReason, Generation
from pipeline.prompts.answer_form import describe_answer
from pipeline.prompts.prompt import Prompt
from pipeline.prompts.render import PromptMaker, Question
from pipeline.prompts.tokenizer import Tokenizer
from pipeline.readers.document import Document, Segment, SegmentKind
from pipeline.schema.load import Contract, load_contract

FOLDER = Path(__file__).with_name("answers_schemas")
MAX_TOKENS = (64, 128, 256, 512)
CONTEXT_WINDOW = 4096
INSTRUCTIONS = "Extract what the document says. Copy names as they are written."


class Outcome(StrEnum):
    """What came of one question."""

    VALID = "valid"
    INVALID = "invalid"
    """Complete JSON that the full validator does not accept."""
    KEY_TWICE = "key twice"
    """Complete JSON in which a map has a key twice: no grammar can know which keys were written. It is asked again."""
    NO_JSON = "no JSON"
    """Ended by itself, and yet no JSON."""
    CUT = "cut"
    NONE = "none"
    """The engine gave no text."""


@dataclass(frozen=True, slots=True)
class Case:
    """A schema with a number of tokens in which every answer to it can be written.

    Attributes:
        contract: Made for it.
        prompt: The question.
    """

    contract: Contract
    prompt: Prompt


def load_contracts(max_tokens: Sequence[int] = MAX_TOKENS) -> list[Contract]:
    """Every schema with every number of tokens in which its longest answer fits, by name and number.

    Where the user's own bounds, names and enums need more, an answer may be cut: `pipeline check` says so.
    """
    contracts = [load_contract(path, n) for path in sorted(FOLDER.glob("*.json")) for n in max_tokens]
    return [made for made in contracts if made.longest_bytes <= made.max_tokens]


def load_cases(tokenizer: Tokenizer, contracts: Sequence[Contract]) -> list[Case]:
    """A question about the schema's document for each contract."""
    return [Case(contract, _build_prompt(contract, tokenizer)) for contract in contracts]


def iter_asked(cases: Sequence[Case], number: int) -> Iterator[tuple[Case, Prompt]]:
    """Ask all cases in turn, greedily once and then at temperature 1, each round with another seed.

    In the first round every other case is greedy, in the second the others are.
    """
    for index in range(number):
        turn, which = divmod(index, len(cases))
        prompt = cases[which].prompt
        is_greedy = turn < 2 and (turn + which) % 2 == 0
        prompt_id = f"{prompt.prompt_id}:{prompt.max_tokens}:{turn}"
        yield (
            cases[which],
            replace(prompt, prompt_id=prompt_id, attempt=turn, temperature=0.0 if is_greedy else 1.0),
        )


def answer_all(engine: Engine, prompts: Sequence[Prompt]) -> dict[str, Generation]:
    """The generation of each prompt, by its id."""
    found: dict[str, Generation] = {}
    waiting = list(reversed(prompts))
    while len(found) < len(prompts):
        while waiting and len(prompts) - len(waiting) - len(found) < engine.window:
            engine.submit(waiting.pop())
        found |= {generation.prompt_id: generation for generation in engine.collect(1.0)}
    return found


def judge(generation: Generation, contract: Contract) -> tuple[Outcome, str]:
    """What came of a question, and why it is not valid."""
    if generation.finish_reason is FinishReason.LENGTH:
        return Outcome.CUT, f"{generation.n_output_tokens} tokens: {generation.text[-60:]!r}"
    if generation.finish_reason is not FinishReason.STOP:
        return Outcome.NONE, f"{generation.finish_reason}: {generation.error}"
    twice: list[str] = []
    try:
        json.loads(generation.text, object_pairs_hook=lambda pairs: twice.extend(_repeated(pairs)))
    except ValueError as exc:
        return Outcome.NO_JSON, str(exc)
    answer = parse_answer(generation.text, contract)
    if isinstance(answer, Invalid):
        return Outcome.KEY_TWICE if twice and has_map(contract) else Outcome.INVALID, answer.detail
    return Outcome.VALID, ""


def has_map(contract: Contract) -> bool:
    """Whether an answer can have an object whose keys are not known beforehand."""
    return '"patternProperties"' in contract.decoder_schema


def _repeated(pairs: list[tuple[str, object]]) -> list[str]:
    keys = [key for key, _ in pairs]
    return [key for index, key in enumerate(keys) if key in keys[:index]]


def _build_prompt(contract: Contract, tokenizer: Tokenizer) -> Prompt:
    text = contract.path.with_suffix(".txt").read_text(encoding="utf-8")
    segment = Segment(SegmentKind.PARAGRAPH, 0, len(text))
    document = Document(contract.name, contract.name, contract.path.name, "text", text, (segment,))
    form = describe_answer(contract.cited, contract.counted, is_wrapped=contract.is_wrapped)
    question = Question(contract.name, INSTRUCTIONS, contract.decoder_schema, contract.max_tokens, form)
    maker = PromptMaker(tokenizer, [question], CONTEXT_WINDOW)
    (chunk,) = maker.cut(document)
    return maker.prompt(chunk, contract.name)
