"""What is found out about a schema on the way to its forms: by the reader of old drafts, the normal form, the lint."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """What holds a constraint. REFUSED: nothing does, the keyword has no effect. NOTE: worth knowing, no constraint."""

    ENFORCED = "enforced"
    VALIDATOR_ONLY = "validator_only"
    REFUSED = "refused"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a schema.

    Attributes:
        pointer: JSON pointer of the schema (not of the keyword) it is about, in the user's file; "" for the top.
        keyword: The keyword, or what the finding is about ("column", "length").
        level: What holds it.
        reason: One sentence for a person.
    """

    pointer: str
    keyword: str
    level: Level
    reason: str


@dataclass(slots=True)
class Notes:
    """Collects what the normal form could not say.

    Attributes:
        left: Keywords that are left to the validator, by pointer and keyword, with the reason.
        held: Keywords that the grammar holds although it cannot in general, by pointer and keyword.
        loose: Pointers of schemas that are left to the validator with all that is below them, with the reason.
        findings: Everything else worth knowing.
    """

    left: dict[tuple[str, str], str] = field(default_factory=dict)
    held: set[tuple[str, str]] = field(default_factory=set)
    loose: dict[str, str] = field(default_factory=dict)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def leave(self, pointers: tuple[str, ...], keyword: str, reason: str) -> None:
        """Note that a keyword, wherever it stands, is left to the validator."""
        for pointer in pointers:
            self.left.setdefault((pointer, keyword), reason)

    def tell(self, pointer: str, keyword: str, reason: str) -> None:
        """Note something that is no constraint; said once for each place and keyword."""
        self.findings.setdefault((pointer, keyword), Finding(pointer, keyword, Level.NOTE, reason))
