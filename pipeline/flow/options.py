"""What a run is told besides its job: how much of it to take, and what to take up again."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import RejectCode
from pipeline.tables.locks import WHOLE, Lane


@dataclass(frozen=True, slots=True)
class RetryRejects:
    """Take up again what earlier runs lost.

    Attributes:
        codes: Only what was lost for one of these reasons; empty: whatever was lost.
    """

    codes: frozenset[RejectCode] = frozenset()

    def takes(self, code: str) -> bool:
        """Whether something lost with this code is to be tried again."""
        return not self.codes or code in self.codes

    def takes_answer(self, code: str) -> bool:
        """Whether an answer lost with this code is to be asked again; for a lost row all its answers are."""
        return self.takes(code) or RejectCode.NO_ANSWER in self.codes


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How much of a job to do.

    Attributes:
        limit: Take that many sources at most; None: all.
        lane: The share of the sources that is this run's.
        retry: What to take up again; None: nothing that was settled before.
        is_remerge: Only make rows again, from answers that are there: no model is asked, and no source is taken up but
            the documents that are as they were when they were settled. See `remerge`.
    """

    limit: int | None = None
    lane: Lane = WHOLE
    retry: RetryRejects | None = None
    is_remerge: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether each source of the lane is looked at: what then is not listed was removed."""
        return self.limit is None and not self.is_remerge


EVERYTHING = RunOptions()
