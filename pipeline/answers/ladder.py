"""What to try after an attempt that gave no record: a prompt and its failure in, the next prompt or None out.

engine failed, timed out     the same again: the fault was not the prompt's
cut                          room for twice as many tokens, as far as the context window allows
no JSON, schema violated     sampled, each time a little warmer: greedy decoding would say the same again
refused, quarantined         nothing: asking again cannot help
"""

from __future__ import annotations

import dataclasses

from pipeline.errors import RejectCode
from pipeline.prompts.prompt import Prompt

HOPELESS = frozenset({RejectCode.ENGINE_REFUSED, RejectCode.QUARANTINED})
_NOT_THE_PROMPT = frozenset({RejectCode.ENGINE_FAILED, RejectCode.ENGINE_TIMEOUT})


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

    def next_attempt(self, prompt: Prompt, code: RejectCode, n_asked: int) -> Prompt | None:
        """The prompt to try after `prompt` failed with `code`; None at the end of the ladder.

        Args:
            prompt: The attempt that failed.
            code: Why.
            n_asked: How often this question was asked so far.
        """
        if n_asked >= self.max_attempts or code in HOPELESS:
            return None
        return self.climb(prompt, code)

    def climb(self, prompt: Prompt, code: RejectCode) -> Prompt:
        """The next attempt, whatever the number of those before."""
        attempt = prompt.attempt + 1
        if code in _NOT_THE_PROMPT or code in HOPELESS:
            return dataclasses.replace(prompt, attempt=attempt)
        room = self.context_window - len(prompt.token_ids)
        if code is RejectCode.TRUNCATED and room > prompt.max_tokens:
            return dataclasses.replace(prompt, attempt=attempt, max_tokens=min(2 * prompt.max_tokens, room))
        return dataclasses.replace(prompt, attempt=attempt, temperature=self.temperature + attempt * self.step)
