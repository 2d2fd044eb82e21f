"""What every tokenizer is: document text to ids that are never control tokens, and the ids around a user's message.

Text and frame are kept apart because they are trusted differently: only the frame may hold control tokens.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import PipelineError


@dataclass(frozen=True, slots=True)
class Frame:
    """The ids around the user's message: opening + any text ids + closing is a prompt of the model's chat format.

    Attributes:
        opening: Start of the sequence, system turn, start of the user turn, and the words the user turn begins with.
        closing: End of the user turn and start of the assistant's.
    """

    opening: tuple[int, ...]
    closing: tuple[int, ...]


class Tokenizer(Protocol):
    """A choice of tokenizer. It puts no space before a text: ids of consecutive texts may be put one after another."""

    @property
    def name(self) -> str:
        """For people: what was loaded."""

    @property
    def identity(self) -> str:
        """Hash of the files that determine the ids, 16 hex digits."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that structure a prompt; `encode_batch` never gives one."""

    def encode_batch(self, texts: Sequence[str]) -> list[array[int]]:
        """Ids of each text, in order, by all cores.

        Nothing is added, and control-token text stays text. No lone surrogates.
        """

    def build_frame(self, system: str, lead: str) -> Frame:
        """The ids around a user message that begins with `lead`.

        Args:
            system: What the model is told first. Where the format has no system turn, it opens the user's turn.
            lead: First words of the user's turn; ends with a newline, so that what follows joins it cleanly.

        Raises:
            JobError: The model's chat format cannot be used; says why.
        """

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of ids, control tokens left out."""


def check_control_free(token_ids: Sequence[Sequence[int]], control_ids: frozenset[int]) -> None:
    """Make sure that text gave no control token.

    Raises:
        PipelineError: It did: a bug, since the tokenizer was probed when it was loaded.
    """
    for ids in token_ids:
        if not control_ids.isdisjoint(ids):
            found = sorted(control_ids.intersection(ids))
            raise PipelineError(
                f"Document text was encoded to control tokens {found[:5]}; nothing was sent. Report this."
            )
