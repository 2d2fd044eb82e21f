"""PDF: one segment a page, each with the reader its text came from.

In: a Source, or a part of one. Out: a Document, the Head of one that is read in parts, or the pages of a part. Two
libraries read the pages; see `pdf_files`. pypdf may take only so long for one document: then pdfium reads all of it, so
that one reader has the whole text.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from pipeline.errors import RejectCode
from pipeline.readers import sniff
from pipeline.readers.document import Document, UnreadableError
from pipeline.readers.parts import PART_PAGES, PYPDF_BUDGET_S, Head, Part, PartRead, Stamp, stamp_of
from pipeline.readers.pdf_choice import Page
from pipeline.readers.pdf_compose import compose
from pipeline.readers.pdf_files import PdfFiles
from pipeline.readers.pdf_page import BudgetError
from pipeline.sources import Source

_Clock = Callable[[], float]


def read_pdf(
    source: Source,
    *,
    prefer_pdfium: bool = False,
    pypdf_budget_s: float = PYPDF_BUDGET_S,
    clock: _Clock = time.thread_time,
) -> Document:
    """Read all pages.

    Args:
        source: The file, with the password if it needs one.
        prefer_pdfium: Whether pdfium's text is preferred, and pypdf asked only where that cannot be right.
        pypdf_budget_s: Seconds of `clock` after which pypdf is given up, for the whole document.
        clock: Seconds; by default this thread's processor time, which does not depend on what else the machine does.

    Returns:
        A Document with one segment a page, at least one of them READ.

    Raises:
        UnreadableError: EMPTY_FILE, WRONG_CONTENT, ENCRYPTED, NO_PAGES, CORRUPT; IMAGE_ONLY, GARBLED_TEXT or NO_TEXT
            when no page has usable text.
        OSError: The file cannot be opened.
    """
    _check_content(source)
    with closing(PdfFiles(source, prefer_pdfium, pypdf_budget_s, clock)) as files:
        head = files.head()
        pages = _read_pages(files, head.n_pages)
    return compose(source, head, pages)


class PdfParts:
    """Reads documents, and large ones in parts. Holds the last large file open: its next part is likely to come."""

    def __init__(self) -> None:
        self._kept: PdfFiles | None = None
        self._stamp: Stamp = ()

    def begin(self, source: Source, prefer_pdfium: bool) -> Document | Head:
        """Read a document of at most PART_PAGES pages; of a larger one, say how large it is.

        Raises:
            UnreadableError: As `read_pdf`.
            OSError: The file cannot be opened.
        """
        self.close()
        _check_content(source)
        stamp = stamp_of(source.path)
        files = PdfFiles(source, prefer_pdfium, PYPDF_BUDGET_S, time.thread_time)
        try:
            head = files.head()
            if head.n_pages > PART_PAGES:
                self._kept, self._stamp = files, stamp
                return replace(head, stamp=stamp)
            return compose(source, head, _read_pages(files, head.n_pages))
        finally:
            if self._kept is None:
                files.close()

    def read(self, part: Part, prefer_pdfium: bool) -> PartRead:
        """Read some pages of a document that was begun, by this process or another.

        Raises:
            UnreadableError: As `read_pdf`: the file is no longer what it was.
            OSError: The file cannot be opened.
        """
        start_s = time.monotonic()
        files = self._open(part, prefer_pdfium)
        open_s = time.monotonic() - start_s
        if part.pypdf_error:
            files.give_up_pypdf(part.pypdf_error)
        try:
            return PartRead(tuple(files.iter_pages(part.pages)), files.pypdf_s, open_s)
        except BudgetError:
            return PartRead((), math.inf, open_s)

    def _open(self, part: Part, prefer_pdfium: bool) -> PdfFiles:
        """The part's file, that which is held open if it is the same, with pypdf's budget as for a new one."""
        if self._kept is None or self._kept.source != part.source or self._stamp != part.stamp:
            self.close()
            self._kept = PdfFiles(part.source, prefer_pdfium, PYPDF_BUDGET_S, time.thread_time)
            self._stamp = part.stamp
        self._kept.renew_budget()
        return self._kept

    def close(self) -> None:
        """Close the file that is held open."""
        if self._kept is not None:
            self._kept.close()
        self._kept = None


def _read_pages(files: PdfFiles, n_pages: int) -> list[Page]:
    """All pages; when pypdf takes too long, all by pdfium."""
    try:
        return list(files.iter_pages(range(n_pages)))
    except BudgetError as error:
        files.give_up_pypdf(str(error))
        return list(files.iter_pages(range(n_pages)))


def _check_content(source: Source) -> None:
    """Refuse what is no PDF, by name."""
    head, tail = sniff.read_ends(source.path)
    if not head:
        raise UnreadableError(RejectCode.EMPTY_FILE, "The file has no bytes.")
    if not sniff.is_pdf(head, tail):
        what = sniff.name_content(head) or "text"
        raise UnreadableError(RejectCode.WRONG_CONTENT, f"The file is named as a PDF but holds {what}: {_quote(head)}.")


def _quote(head: bytes) -> str:
    """The first bytes as a person can read them."""
    return ascii(head[:24].decode("latin-1"))
