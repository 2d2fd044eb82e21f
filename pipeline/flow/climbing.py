"""After an attempt that gave no whole answer: which questions take its place, if any.

The same recorded answers always lead up the same ladder, so that a rerun finds each of them and asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.answers.ladder import Again, Ladder, Split
from pipeline.answers.record import Invalid, Kept, count_items
from pipeline.errors import RejectCode
from pipeline.flow.open_document import Asked, Best
from pipeline.flow.options import RetryRejects
from pipeline.flow.plan import Plan
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.prompts.splitting import split
from pipeline.schema.load import Contract


@dataclass(frozen=True, slots=True)
class Halves:
    """A question ends as two others.

    Attributes:
        chunks: The halves, which tile what the question was about.
        asked: Their first attempts.
    """

    chunks: tuple[Chunk, Chunk]
    asked: tuple[Asked, Asked]


class Climber:
    """The ladder of a run, with what it needs to know of the run."""

    def __init__(self, plan: Plan, retry: RetryRejects | None, was_paid: Callable[[Prompt], bool]) -> None:
        """Read the job's rules.

        Args:
            plan: What the run does.
            retry: What of the lost is tried again; None: nothing.
            was_paid: Whether the answer to an attempt is there from before.
        """
        generation, retries = plan.job.generation, plan.job.retries
        self._ladder = Ladder(retries.max_attempts, generation.temperature, retries.temperature, plan.context_window)
        self._maker, self._max_splits = plan.maker, retries.max_splits
        self._retry, self._was_paid = retry, was_paid

    def climb(
        self, asked: Asked, answer: Kept | Invalid, contract: Contract, *, is_reused: bool
    ) -> Asked | Halves | Best | None:
        """What comes after an attempt that gave no whole answer.

        A reused answer is followed by what followed it before, also where an earlier retry went on beyond the end of
        the ladder. A retry begins a new ladder only where all that ended.

        Returns:
            The next attempt; or two halves; or, at the end, what is kept, and None when nothing is.
        """
        prompt, best = asked.prompt, _better(asked.best, answer, asked.prompt, contract)
        beyond = None
        if is_reused:
            beyond = self._again(asked, answer, best, self._ladder.climb(prompt, answer, contract))
            if self._was_paid(beyond.prompt):
                return beyond
        halves = self._halves(asked)
        n_asked = asked.n_before + 1
        step = self._ladder.next_step(prompt, answer, contract, n_asked, can_split=halves is not None)
        if isinstance(step, Again):
            return self._again(asked, answer, best, step)
        if isinstance(step, Split) and halves is not None:
            return halves
        if beyond is not None and self._retry is not None and self._retry.takes_answer(final_code(asked, answer, best)):
            return replace(beyond, n_before=0)
        return best

    def _again(self, asked: Asked, answer: Kept | Invalid, best: Best | None, again: Again) -> Asked:
        prompt = again.prompt
        if again.says_why and asked.is_about_a_chunk:
            prompt = self._maker.explain(prompt, asked.chunk, answer.detail)
        return replace(asked, prompt=prompt, n_before=asked.n_before + 1, best=best)

    def _halves(self, asked: Asked) -> Halves | None:
        """Both halves of what a question is about, if it may be split."""
        if not asked.is_about_a_chunk or len(asked.chunk.part) >= self._max_splits:
            return None
        chunks = split(asked.chunk)
        if chunks is None:
            return None
        first, second = (Asked(self._maker.prompt(half, asked.prompt.task), half, asked.document) for half in chunks)
        return Halves(chunks, (first, second))


def final_code(asked: Asked, answer: Kept | Invalid, best: Best | None) -> RejectCode:
    """Under which code a question is lost, or its answer kept, when nothing more is tried."""
    if best is not None:
        return best.kept.code
    return answer.code if asked.is_about_a_chunk else RejectCode.REDUCE_FAILED


def _better(best: Best | None, answer: Kept | Invalid, prompt: Prompt, contract: Contract) -> Best | None:
    """What to keep: rather an answer that the model ended than one that was cut, then the one with more items."""
    if isinstance(answer, Invalid):
        return best
    found = Best(answer, prompt.attempt)
    return found if best is None or _worth(found, contract) >= _worth(best, contract) else best


def _worth(best: Best, contract: Contract) -> tuple[bool, int]:
    n_items = count_items(best.kept.record.values, contract.columns)
    return best.kept.code is not RejectCode.SALVAGED, n_items or 0
