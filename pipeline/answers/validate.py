"""A generation and its contract in; a Record out, or one that is kept for want of better, or the reason why it is none.

An answer that the engine cut is never a record: what is whole in it may be kept. Nor is one that was as long as we let
it be, or lists less than it counted: it is asked again, and kept when nothing better comes.
"""

from __future__ import annotations

from pipeline.answers.complete import find_reached, find_short
from pipeline.answers.read import Answer, read_answer, shorten
from pipeline.answers.record import Invalid, Kept, Record
from pipeline.answers.salvage import salvage
from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import RejectCode
from pipeline.prompts.prompt import Prompt
from pipeline.schema.load import Contract
from pipeline.schema.values import JSON

_NO_TEXT = {
    FinishReason.REFUSED: RejectCode.ENGINE_REFUSED,
    FinishReason.FAILED: RejectCode.ENGINE_FAILED,
    FinishReason.TIMEOUT: RejectCode.ENGINE_TIMEOUT,
    FinishReason.QUARANTINED: RejectCode.QUARANTINED,
}


def validate(generation: Generation, prompt: Prompt, contract: Contract) -> Record | Kept | Invalid:
    """Give the record of a generation, or why there is none.

    Args:
        generation: As the engine gave it.
        prompt: The prompt it answers.
        contract: The contract of the prompt's task.

    Returns:
        A record of a whole answer; Kept with SALVAGED (what is whole in a cut answer), LIMIT_REACHED (a value is as
        long as its share of max_tokens) or LIST_SHORT (fewer items than the model counted); or Invalid.

    Raises:
        ValueError: the generation answers another prompt: a bug in the flow.
    """
    if generation.prompt_id != prompt.prompt_id:
        raise ValueError(f"generation of {generation.prompt_id!r} was given for prompt {prompt.prompt_id!r}")
    if generation.finish_reason in _NO_TEXT:
        detail = generation.error or "the engine gave no reason"
        return Invalid(_NO_TEXT[generation.finish_reason], shorten(detail, 500))
    if generation.finish_reason is FinishReason.LENGTH:
        cut = f"the answer was cut after {generation.n_output_tokens} tokens (max_tokens is {prompt.max_tokens})"
        whole = salvage(generation.text, contract)
        if whole is None:
            return Invalid(RejectCode.TRUNCATED, cut)
        return Kept(
            _record(prompt, whole), RejectCode.SALVAGED, f"{cut}; what was whole of it is in the row", whole.written
        )
    answer = read_answer(generation.text, contract)
    if isinstance(answer, Invalid):
        return answer
    record = _record(prompt, answer)
    if reached := find_reached(answer.written, prompt.decoder_schema):
        where = shorten(", ".join(reached), 300)
        detail = f"as long as max_tokens {prompt.max_tokens} leaves room: {where}"
        return Kept(record, RejectCode.LIMIT_REACHED, detail, answer.written)
    if short := find_short(answer.counts, answer.values, contract.normal):
        return Kept(record, RejectCode.LIST_SHORT, shorten(", ".join(short), 300), answer.written)
    return record


def parse_answer(text: str, contract: Contract) -> dict[str, JSON] | Invalid:
    """Parse and check one answer; see `read_answer`. Gives the values that go into a record."""
    answer = read_answer(text, contract)
    return answer if isinstance(answer, Invalid) else answer.values


def _record(prompt: Prompt, answer: Answer) -> Record:
    return Record(prompt.doc_id, prompt.chunk_index, prompt.task, answer.values, prompt.part, answer.citations)
