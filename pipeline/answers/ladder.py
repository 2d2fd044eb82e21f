"""What to do after an attempt that gave no record: a prompt and its failure in, the next step out.

engine failed, timed out           the same again: the fault was not the prompt's
no JSON, schema violated           told why, and sampled, each time a little warmer: greedy decoding would say the same
cut, a share of max_tokens reached twice as many tokens, as far as the context window allows; then the chunk is split
list shorter than its own count    the chunk is split
refused, quarantined               nothing: asking again cannot help

A chunk that cannot be split any further is asked again, warmer, as long as there are attempts left.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from pipeline.answers.complete import find_reached
from pipeline.answers.record import Invalid, Kept
from pipeline.errors import RejectCode
from pipeline.prompts.prompt import Prompt
from pipeline.schema.load import Contract

HOPELESS = frozenset({RejectCode.ENGINE_REFUSED, RejectCode.QUARANTINED})
NOT_ALL = frozenset({RejectCode.TRUNCATED, RejectCode.SALVAGED, RejectCode.LIMIT_REACHED, RejectCode.LIST_SHORT})
"""Failures of which a smaller chunk may have less."""
_NOT_THE_PROMPT = frozenset({RejectCode.ENGINE_FAILED, RejectCode.ENGINE_TIMEOUT})
_EIGHTHS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Again:
    """Ask the question again.

    Attributes:
        prompt: The next attempt, with the token ids of the one before.
        says_why: Whether these ids are to say why that one was not accepted; see `PromptMaker.explain`.
    """

    prompt: Prompt
    says_why: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """Ask both halves of the chunk instead."""


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """There is nothing more to try: what there is is kept, or the question is lost."""


Step = Again | Split | End


@dataclasses.dataclass(frozen=True, slots=True)
class Ladder:
    """The rules of one job.

    Attributes:
        max_attempts: How often one prompt is asked at most, at least 1.
        temperature: Of the first attempt.
        step: What each further attempt at an invalid answer adds to it.
        context_window: Tokens of prompt and answer together.
    """

    max_attempts: int
    temperature: float
    step: float
    context_window: int

    def next_step(
        self, prompt: Prompt, answer: Kept | Invalid, contract: Contract, n_asked: int, *, can_split: bool
    ) -> Step:
        """What to do after an attempt that gave no whole answer.

        Args:
            prompt: The attempt.
            answer: What it gave.
            contract: Of its task.
            n_asked: How often this question was asked so far.
            can_split: Whether its chunk may be cut in two.
        """
        code, has_more = answer.code, n_asked < self.max_attempts
        if code in NOT_ALL or _was_too_much(prompt, code, contract):
            grown = self._grown(prompt, answer, contract) if has_more else None
            if grown is not None:
                return Again(grown)
            if can_split:
                return Split()
        if code in HOPELESS or not has_more:
            return End()
        return self.climb(prompt, answer, contract)

    def climb(self, prompt: Prompt, answer: Kept | Invalid, contract: Contract) -> Again:
        """The next attempt at the same chunk, whatever the number of those before."""
        code, attempt = answer.code, prompt.attempt + 1
        if code in _NOT_THE_PROMPT or code in HOPELESS:
            return Again(dataclasses.replace(prompt, attempt=attempt))
        grown = self._grown(prompt, answer, contract)
        if grown is not None:
            return Again(grown)
        warmer = dataclasses.replace(prompt, attempt=attempt, temperature=self.temperature + attempt * self.step)
        return Again(warmer, says_why=code not in NOT_ALL)

    def _grown(self, prompt: Prompt, answer: Kept | Invalid, contract: Contract) -> Prompt | None:
        """The next attempt with room for twice as many tokens, or as many eighths more as the window has.

        None when that is no more, or when something that is full would be as full as before. Eighths: each number of
        tokens is a grammar of its own.
        """
        if answer.code not in NOT_ALL or answer.code is RejectCode.LIST_SHORT:
            return None
        eighth = -(-prompt.max_tokens // _EIGHTHS)
        n_eighths = min(_EIGHTHS, (self.context_window - len(prompt.token_ids) - prompt.max_tokens) // eighth)
        if n_eighths < 1:
            return None
        max_tokens = min(prompt.max_tokens + n_eighths * eighth, 2 * prompt.max_tokens)
        form = _decoder_form(contract, max_tokens)
        is_limit = answer.code is RejectCode.LIMIT_REACHED
        if isinstance(answer, Kept) and is_limit and find_reached(answer.written, form):
            return None
        return dataclasses.replace(prompt, attempt=prompt.attempt + 1, max_tokens=max_tokens, decoder_schema=form)


@lru_cache(maxsize=256)
def _decoder_form(contract: Contract, max_tokens: int) -> str:
    """Made once for all prompts of a task that have so many tokens: one text, one grammar."""
    return contract.decoder_for(max_tokens)


def _was_too_much(prompt: Prompt, code: RejectCode, contract: Contract) -> bool:
    """Whether the engine refused an attempt that had been given more tokens than the job says."""
    return code is RejectCode.ENGINE_REFUSED and prompt.max_tokens > contract.max_tokens
