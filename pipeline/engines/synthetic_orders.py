"""What the rehearsal engine tells its child process: how fast to answer, what to answer, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What becomes of a prompt. DIE and HANG concern the whole process."""

    ANSWER = "answer"
    CUT = "cut"
    SPOIL = "spoil"
    SHORT = "short"
    DIE = "die"
    HANG = "hang"
    TIME_OUT = "time_out"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it answers.

    Attributes:
        parent_pid: The process it ends with.
        latency_s: Seconds an answer takes from when a place is free.
        n_parallel: Places.
        request_timeout_s: Seconds one prompt may take, waiting for a place included.
        pulse_s: Seconds after which it gives a sign of life while it works on something.
    """

    parent_pid: int
    latency_s: float
    n_parallel: int
    request_timeout_s: float
    pulse_s: float


@dataclass(frozen=True, slots=True)
class Lens:
    """What it looks for in a prompt, and what it needs to read one.

    Attributes:
        pattern: A regular expression with named groups.
        model_folder: Where the tokenizer lies.
        model_name: The model; some tokenizers are known by its name alone.
    """

    pattern: str
    model_folder: str
    model_name: str


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt, without what only a model would look at.

    Attributes:
        number: By which its answer is matched.
        key: Of the prompt, 64 hex digits; decides the answer.
        schema: Number of its decoder schema.
        max_tokens: Most tokens of the answer.
        fate: What becomes of it.
        token_ids: What the model would see; empty when nothing is looked for.
    """

    number: int
    key: str
    schema: int
    max_tokens: int
    fate: Fate
    token_ids: tuple[int, ...] = ()
