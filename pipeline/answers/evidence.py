"""The Evidence: where the quote for one value stands in the document, and whether it says what the value says."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.answers.agreement import Agreement
from pipeline.answers.citations import Citation
from pipeline.answers.quotes import Grade, Located


@dataclass(frozen=True, slots=True)
class Evidence:
    """What became of one citation.

    Attributes:
        citation: The value and its quote. When values were not let in, its pointer is that among those that were.
        located: Where the quote stands in the document's text: the span counts from the document's beginning.
        words: The document's words there; empty when it is missing.
        agreement: Whether they say what the value says.
        is_let_in: Whether the value is among the record's values.
    """

    citation: Citation
    located: Located
    words: str
    agreement: Agreement
    is_let_in: bool = True

    @property
    def is_verified(self) -> bool:
        """Whether the quote was found and does not disagree with the value."""
        return self.located.grade is not Grade.MISSING and self.agreement is not Agreement.DISAGREES

    @property
    def complaint(self) -> str:
        """What is wrong with a value that is not verified, for the model and for a person: no full stop."""
        where = self.citation.pointer
        if not self.citation.quote.strip():
            return f"{where} has no quote"
        quote = f'"{_short(self.citation.quote)}"'
        if self.located.grade is Grade.MISSING:
            return f"the quote for {where} is not in the document: {quote}"
        return f'the quote for {where} does not say that value: "{_short(self.words)}"'


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


_SHOWN = 120
