"""What the two PDF libraries' adapters have in common: the questions they answer and how they fail.

Neither library's name or exception leaves its adapter; `pdf` decides between answers without knowing who gave them.
"""

from __future__ import annotations

from typing import Protocol


class PdfError(Exception):
    """A PDF library cannot open the file or read the page. The message is a sentence's part, without a full stop."""


class PasswordError(PdfError):
    """The file is encrypted and no password that was tried opens it."""


class BudgetError(PdfError):
    """The library has used up the processor time it was given for this document."""


class PdfFile(Protocol):
    """One open PDF, as one library sees it. Page indexes count from 0.

    Attributes:
        name: The library.
        n_pages: How many pages it finds.
    """

    name: str
    n_pages: int

    def read_page(self, index: int) -> tuple[str, str]:
        """The page's text as found, and a doubt: what the library itself says it could not do, or "".

        Raises:
            PdfError: The page cannot be read.
        """

    def has_image(self, index: int) -> bool:
        """True when the page shows a raster image, also inside form XObjects; False when it cannot be known."""

    def labels(self) -> tuple[str | None, ...]:
        """The label of each page in order; None for a page without. Empty when the PDF defines no labels."""

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Name and value pairs of the document information, names without slash; what cannot be read is left out."""

    def close(self) -> None:
        """Let go of the file."""


def password_candidates(password: str | None) -> tuple[str, ...]:
    """What to try, in order: the empty password opens files that are only protected against changes."""
    return ("",) if not password else ("", password)
