"""What reading one document may cost."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import Reject, RejectCode
from pipeline.sources import Source

MIN_MEMORY_MB = 128
"""A child with both PDF libraries loaded has 29 MiB of private data before it reads anything."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What reading one document may cost.

    Attributes:
        timeout_s: Wall-clock seconds for one document, above 0. Those of its parts count together, as if one child
            had read them one after the other, so that a document is not lost on a small machine alone.
        memory_mb: Private memory of one child in MiB, at least MIN_MEMORY_MB. Enforced on Linux.
        n_workers: Children that read at the same time; None: one a core this process may run on.
    """

    timeout_s: float = 300.0
    memory_mb: int = 2048
    n_workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits no document can be read within."""
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}, expected more than 0 seconds")
        if self.memory_mb < MIN_MEMORY_MB:
            raise ValueError(f"memory_mb is {self.memory_mb}, expected at least {MIN_MEMORY_MB} MiB")
        if self.n_workers is not None and self.n_workers < 1:
            raise ValueError(f"n_workers is {self.n_workers}, expected at least 1")

    def timed_out(self, source: Source) -> Reject:
        """The source that took longer."""
        return build_reject(source, RejectCode.READ_TIMEOUT, f"Reading took more than {self.timeout_s:g} s.")


def build_reject(source: Source, code: RejectCode, detail: str) -> Reject:
    """The loss of a whole source."""
    return Reject(code=code, detail=detail, uri=source.uri, doc_id=source.doc_id)
