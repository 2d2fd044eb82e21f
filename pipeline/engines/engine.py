"""What every engine is: prompts in, generations out in any order, matched by id."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pipeline.prompts.prompt import Prompt


class FinishReason(StrEnum):
    """How a generation ended. STOP and LENGTH come with text; the others say why in `error`."""

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"
    FAILED = "failed"
    TIMEOUT = "timeout"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Generation:
    """What the engine gave back for one prompt.

    Attributes:
        prompt_id: The prompt it answers.
        text: The answer; empty when there is none.
        finish_reason: How it ended.
        n_prompt_tokens: Tokens of the prompt as the engine counted them; 0 when it never ran.
        n_cached_tokens: How many of those came from the prefix cache.
        n_output_tokens: Tokens generated.
        duration_s: Seconds from submission to the end.
        error: Why it has no answer (REFUSED, FAILED, TIMEOUT, QUARANTINED); empty otherwise.
    """

    prompt_id: str
    text: str
    finish_reason: FinishReason
    n_prompt_tokens: int = 0
    n_cached_tokens: int = 0
    n_output_tokens: int = 0
    duration_s: float = 0.0
    error: str = ""


class Engine(Protocol):
    """A choice of engine. One thread drives it: submit while fewer than `window` are in flight, then collect."""

    @property
    def window(self) -> int:
        """How many prompts to keep in flight so that the engine never waits; at least 1."""

    @property
    def window_tokens(self) -> int | None:
        """How many prompt tokens in flight are enough: more than can run at once; None: no limit but `window`."""

    def describe(self) -> dict[str, str]:
        """Names and versions of what generates (kind, model, library), for the run report."""

    def start(self) -> None:
        """Load the model; returns when prompts can run. Raises EngineError."""

    def submit(self, prompt: Prompt) -> None:
        """Take one prompt and return at once. Its Generation comes from `collect`, whatever happens to it."""

    def collect(self, timeout_s: float) -> list[Generation]:
        """Wait until a generation is there, at most timeout_s seconds, and return all that are.

        Raises EngineError when the engine died: what is in flight will not come.
        """

    def close(self) -> None:
        """Stop the engine and its processes; safe to call twice, and before start."""
