"""pypdf, behind the questions of `pdf_page`: the only module that imports it.

Every exception pypdf raises is mapped here. Damaged files make it raise far more than its own classes (TypeError,
KeyError, AssertionError, RecursionError, zlib.error, ...), so each call into it is one broad except, here alone.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pypdf
from pypdf import apply_configuration
from pypdf.generic import DictionaryObject

from pipeline.readers.parts import describe_overrun
from pipeline.readers.pdf_page import BudgetError, PasswordError, PdfError, password_candidates

MAX_TOKENS_PER_PAGE = 500_000
"""Operators and operands of one page. pypdf takes 4 s for so many; a dense page of tables has 26,000."""
_LIMITS: dict[str, Any] = {"stream_parsing_work_maximum_count": MAX_TOKENS_PER_PAGE}
_MAX_FORM_DEPTH = 8

_log = logging.getLogger("pypdf")


class PypdfFile:
    """One PDF opened by pypdf. See `PdfFile`."""

    name = "pypdf"

    def __init__(self, path: Path, password: str | None, budget_s: float, clock: Callable[[], float]) -> None:
        """Open and decrypt.

        `used_s` counts what all calls took.

        Args:
            path: The file.
            password: Tried after the empty one; None when none was given.
            budget_s: Seconds of `clock` that all calls together may take; checked between drawing operators.
            clock: Seconds; the thread's processor time, so that a busy machine changes nothing.

        Raises:
            PasswordError: No password opens it.
            PdfError: pypdf cannot open it.
        """
        self._clock = clock
        self._budget_s = budget_s
        self.used_s = 0.0
        self._stream = path.open("rb")
        try:
            with self._asking():
                self._reader = pypdf.PdfReader(self._stream)
                if self._reader.is_encrypted and not _decrypt(self._reader, password):
                    raise PasswordError("the password does not open it")
                self.n_pages = len(self._reader.pages)
        except BaseException:
            self._stream.close()
            raise

    def read_page(self, index: int) -> tuple[str, str]:
        """See `PdfFile`. Raises BudgetError when the document's time is used up, now or before."""
        doubts = _Doubts()
        with self._asking(doubts):
            page = self._reader.pages[index]
            text = page.extract_text(visitor_operand_before=self._check_budget())
            typed = _has_typed_text(page)
        return text, "does not read form fields and notes" if typed else doubts.first

    def has_image(self, index: int) -> bool:
        """See `PdfFile`."""
        try:
            with self._asking():
                return _shows_image(self._reader.pages[index], _MAX_FORM_DEPTH)
        except PdfError:
            return False

    def labels(self) -> tuple[str | None, ...]:
        """See `PdfFile`."""
        try:
            with self._asking():
                defined = "/PageLabels" in self._reader.root_object
                return tuple(label or None for label in self._reader.page_labels) if defined else ()
        except PdfError:
            return ()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """See `PdfFile`."""
        try:
            with self._asking():
                found: dict[Any, Any] = self._reader.metadata or {}
                return tuple((str(name).lstrip("/"), str(value)) for name, value in found.items() if value is not None)
        except PdfError:
            return ()

    def close(self) -> None:
        """See `PdfFile`."""
        self._stream.close()

    def _check_budget(self) -> Callable[..., None]:
        """A visitor of drawing operators, since pypdf has no time limit of its own."""
        stop = self._clock() + self._budget_s - self.used_s
        counter = count(1)

        def visit(*_: object) -> None:
            # Every 256th: asking for the thread's time at each operator makes pypdf 60 % slower.
            if next(counter) % 256 == 0 and self._clock() > stop:
                raise _OverBudget

        return visit

    @contextmanager
    def _asking(self, doubts: logging.Handler | None = None) -> Iterator[None]:
        """Around every call into pypdf: quiet, within limits, timed, its exceptions mapped."""
        start = self._clock()
        if self.used_s > self._budget_s:
            raise BudgetError(describe_overrun(self._budget_s))
        try:
            with _quiet(doubts or logging.NullHandler()), apply_configuration(**_LIMITS):
                yield
        except PdfError:
            raise
        except _OverBudget:
            raise BudgetError(describe_overrun(self._budget_s)) from None
        except Exception as error:
            # Damaged files make pypdf raise anything. MemoryError too: pdfium may manage within the same limit.
            raise PdfError(f"pypdf: {type(error).__name__}: {str(error)[:200].rstrip('.')}") from error
        finally:
            self.used_s += self._clock() - start


class _OverBudget(BaseException):
    """Not an Exception: pypdf has handlers of its own that would swallow one."""


class _Doubts(logging.Handler):
    """Keeps the first thing pypdf warns of."""

    first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.first = self.first or record.getMessage()[:80].rstrip(".")


@contextmanager
def _quiet(handler: logging.Handler) -> Iterator[None]:
    """Send pypdf's log to `handler` alone, and its warnings nowhere."""
    handlers, propagate = _log.handlers[:], _log.propagate
    _log.handlers[:], _log.propagate = [handler], False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _log.handlers[:], _log.propagate = handlers, propagate


def _decrypt(reader: pypdf.PdfReader, password: str | None) -> bool:
    """True when a password opens it: each as text, and as the bytes different writers made of non-ASCII ones."""
    for candidate in password_candidates(password):
        forms: list[str | bytes] = [candidate]
        if not candidate.isascii():
            forms += [candidate.encode("utf-8"), candidate.encode("latin-1", "replace")]
        if any(reader.decrypt(form) for form in forms):
            return True
    return False


def _has_typed_text(page: DictionaryObject) -> bool:
    """True when form fields or typed notes lie on the page: their text is not in the page's content."""
    notes: Any = page.get("/Annots")
    kinds = [note.get_object().get("/Subtype") for note in notes.get_object()] if notes is not None else []
    return "/Widget" in kinds or "/FreeText" in kinds


def _shows_image(holder: DictionaryObject, depth: int) -> bool:
    """True when the page or form XObject lists an image among its resources."""
    resources: Any = holder.get("/Resources")
    objects: Any = resources.get_object().get("/XObject") if resources is not None else None
    if objects is None or depth == 0:
        return False
    for name in objects.get_object():
        found: Any = objects.get_object()[name].get_object()
        kind = found.get("/Subtype")
        if kind == "/Image" or (kind == "/Form" and _shows_image(found, depth - 1)):
            return True
    return False
