"""An engine that is there in name only: for runs that make rows again from the answers they have, and ask nothing."""

from __future__ import annotations

from pipeline.engines.engine import Engine, Generation
from pipeline.errors import JobError
from pipeline.prompts.prompt import Prompt


class RefusingEngine:
    """Describes itself as the engine it stands for, and will not start."""

    def __init__(self, engine: Engine, reason: str) -> None:
        """Stand for an engine that is not started.

        Args:
            engine: The engine.
            reason: What `start` says: why nothing may be asked, and what to do.
        """
        self.window, self.window_tokens = engine.window, engine.window_tokens
        self._engine, self._reason = engine, reason

    def describe(self) -> dict[str, str]:
        """As the engine says."""
        return self._engine.describe()

    def start(self) -> None:
        """Refuse.

        Raises:
            JobError: Always.
        """
        raise JobError(self._reason)

    def submit(self, prompt: Prompt) -> None:
        """Refuse; see `start`."""
        raise JobError(self._reason)

    def collect(self, timeout_s: float) -> list[Generation]:
        """Nothing was asked."""
        return []

    def close(self) -> None:
        """Nothing is held."""
