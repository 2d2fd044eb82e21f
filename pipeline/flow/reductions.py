"""One reduction while it goes on: partial answers in, level after level of prompts out, one answer at the end."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.answers.reduce import pack
from pipeline.prompts.prompt import Prompt
from pipeline.prompts.reduction import ReductionMaker


class Reduction:
    """The partial answers of one document to one task, on their way to one.

    Attributes:
        texts: The partial answers of the level that is being asked, JSON texts in document order.
        level: From 0.
        is_stuck: No two neighbours of this level fit one prompt: `texts` stays as it is.
    """

    def __init__(self, maker: ReductionMaker, doc_id: str, texts: Sequence[str]) -> None:
        """Nothing is asked yet.

        Args:
            maker: The task's.
            doc_id: The document.
            texts: At least one, in document order.
        """
        self.texts, self.level, self.is_stuck = list(texts), 0, False
        self._maker, self._doc_id = maker, doc_id
        self._groups: dict[str, range] = {}
        self._answers: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to ask."""
        return len(self.texts) == 1 or self.is_stuck

    def begin(self) -> list[Prompt]:
        """The prompts of this level, one for each group of two or more; none when it is done."""
        if self.is_done:
            return []
        groups = pack(self._maker.n_tokens(self.texts), self._maker.room)
        if groups is None:
            self.is_stuck = True
            return []
        self._groups = {f"reduce:{self.level}.{number}": group for number, group in enumerate(groups)}
        return [
            self._maker.prompt(self._doc_id, part, self.texts[group.start : group.stop])
            for part, group in self._groups.items()
            if len(group) > 1
        ]

    def settle(self, part: str, text: str | None) -> list[Prompt]:
        """A group has its final answer; gives the prompts of the next level when it was the last of this one.

        Args:
            part: Of the group's prompt.
            text: The answer as JSON; None when there is none, and the first of the group's answers stands for it.
        """
        group = self._groups[part]
        self._answers[part] = self.texts[group.start] if text is None else text
        alone = {part: self.texts[group.start] for part, group in self._groups.items() if len(group) == 1}
        if len(self._answers) + len(alone) < len(self._groups):
            return []
        answers = {**alone, **self._answers}
        self.texts = [answers[part] for part in self._groups]
        self.level += 1
        self._groups, self._answers = {}, {}
        return self.begin()
