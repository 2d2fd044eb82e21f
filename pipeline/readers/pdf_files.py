"""One PDF, opened by both libraries: what they say of the file, and each page by the better of two readings.

In: a Source. Out: its Head, and Pages. pypdf's text is taken unless it failed, is garbled, or pdfium shows it to be
wrong (`pdf_choice`). pdfium is twelve times as fast as pypdf, so the second reading costs 8 % and finds the wrong text
that comes without an exception. Where pdfium is preferred, pypdf counts the pages, and reads those that need it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator

from pipeline.errors import RejectCode
from pipeline.readers.document import UnreadableError
from pipeline.readers.parts import Head
from pipeline.readers.pdf_choice import Page, Reading, choose, is_doubtful
from pipeline.readers.pdf_page import BudgetError, PasswordError, PdfError, PdfFile
from pipeline.readers.pdf_pdfium import PdfiumFile
from pipeline.readers.pdf_pypdf import PypdfFile
from pipeline.sources import Source


class PdfFiles:
    """The same PDF opened by both libraries; at least one could."""

    def __init__(self, source: Source, prefer_pdfium: bool, pypdf_budget_s: float, clock: Callable[[], float]) -> None:
        """Open it.

        Args:
            source: The file, with the password if it needs one.
            prefer_pdfium: Whether pdfium's text is preferred, and pypdf asked only where that cannot be right.
            pypdf_budget_s: Seconds of `clock` that pypdf may take, here or after `renew_budget`.
            clock: Seconds; the thread's processor time.

        Raises:
            UnreadableError: ENCRYPTED or CORRUPT, when neither library can open it.
        """
        self.source = source
        self._prefers_pdfium = prefer_pdfium
        self._budget_s, self._clock = pypdf_budget_s, clock
        self._pypdf: PypdfFile | None = None
        self._pdfium: PdfiumFile | None = None
        self._pypdf_error = self._pdfium_error = ""
        self._is_pypdf_asked = self._refused_by_pypdf = self._refused_by_pdfium = False
        self._open_pdfium()
        if not prefer_pdfium or self._pdfium is None:
            self._open_pypdf()
        if self._pdfium is None and self._pypdf is None:
            raise self._cannot_open()

    @property
    def pypdf_s(self) -> float:
        """Seconds pypdf has taken since it opened the file, or since `renew_budget`."""
        return 0.0 if self._pypdf is None else self._pypdf.used_s

    def renew_budget(self) -> None:
        """Let pypdf take as long as it may, again."""
        if self._pypdf is not None:
            self._pypdf.used_s = 0.0

    def give_up_pypdf(self, why: str) -> None:
        """Read every page by pdfium from now on.

        Raises:
            UnreadableError: READ_TIMEOUT: pdfium cannot open the file.
        """
        if self._pdfium is None:
            raise UnreadableError(RejectCode.READ_TIMEOUT, f"{why}, and pdfium cannot open the file.")
        if self._pypdf is not None:
            self._pypdf.close()
        self._pypdf, self._pypdf_error, self._is_pypdf_asked = None, why, True

    def head(self) -> Head:
        """What is known before pages are read.

        Raises:
            UnreadableError: NO_PAGES.
        """
        n_pages = self._count_pages()
        return Head(
            n_pages=n_pages,
            labels=next((labels for file in self._opened() if (labels := file.labels())), ()),
            metadata=next((pairs for file in self._opened() if (pairs := file.metadata())), ()),
            pypdf_s=self.pypdf_s,
            has_pdfium=self._pdfium is not None,
        )

    def iter_pages(self, indexes: Iterable[int]) -> Iterator[Page]:
        """Read pages. Raises BudgetError when pypdf has used up its time."""
        for index in indexes:
            by_pdfium = _reading("pypdfium2", self._pdfium, self._pdfium_error, index)
            if not self._prefers_pdfium:
                yield self._choose(self._by_pypdf(index), by_pdfium, index)
            elif is_doubtful(by_pdfium):
                yield self._choose(by_pdfium, self._by_pypdf(index), index)
            else:
                yield self._choose(by_pdfium, Reading("pypdf"), index)

    def close(self) -> None:
        """Let go of the file."""
        for file in self._opened():
            file.close()

    def _choose(self, first: Reading, second: Reading, index: int) -> Page:
        is_blank = first.is_blank and second.is_blank
        return choose(first, second, is_blank and any(file.has_image(index) for file in self._opened()))

    def _by_pypdf(self, index: int) -> Reading:
        if not self._is_pypdf_asked:
            self._open_pypdf()
            self.renew_budget()  # else it would depend on the number of children, each of which opens it
        return _reading("pypdf", self._pypdf, self._pypdf_error, index)

    def _opened(self) -> list[PdfFile]:
        """Those that opened it, pypdf first: its labels and metadata are the better ones, if it is asked at all."""
        return [file for file in (self._pypdf, self._pdfium) if file is not None]

    def _open_pdfium(self) -> None:
        try:
            self._pdfium = PdfiumFile(self.source.path, self.source.password)
        except PasswordError as error:
            self._refused_by_pdfium, self._pdfium_error = True, f"pdfium: {error}"
        except PdfError as error:
            self._pdfium_error = str(error)

    def _open_pypdf(self) -> None:
        self._is_pypdf_asked = True
        try:
            self._pypdf = PypdfFile(self.source.path, self.source.password, self._budget_s, self._clock)
        except PasswordError:
            self._refused_by_pypdf = True
        except PdfError as error:
            self._pypdf_error = str(error)

    def _count_pages(self) -> int:
        """The number of pages; where the libraries differ, the greater, if pdfium finds a page pypdf does not have.

        Both are asked, whichever is preferred: pdfium believes what the file says of its number of pages, and would
        leave out without a word what stands behind them.

        Raises:
            UnreadableError: NO_PAGES.
        """
        if not self._is_pypdf_asked:
            self._open_pypdf()
        n_pages = max(file.n_pages for file in self._opened())
        if self._pypdf and self._pdfium and self._pypdf.n_pages < n_pages:
            n_pages = n_pages if self._pdfium.has_page(self._pypdf.n_pages) else self._pypdf.n_pages
        if n_pages == 0:
            raise UnreadableError(RejectCode.NO_PAGES, "The file is a PDF without pages.")
        return n_pages

    def _cannot_open(self) -> UnreadableError:
        # pdfium says of some damaged files too that a password is needed; an encrypted one names its encryption
        if self._refused_by_pypdf or (self._refused_by_pdfium and _names_encryption(self.source)):
            given = "the password given for it is wrong" if self.source.password else "no password was given"
            return UnreadableError(RejectCode.ENCRYPTED, f"The file is encrypted and {given}.")
        why = f"{self._pypdf_error}; {self._pdfium_error}"
        return UnreadableError(RejectCode.CORRUPT, f"Neither PDF library can open the file ({why}).")


def _names_encryption(source: Source) -> bool:
    """True when a trailer has /Encrypt, which is never compressed nor encrypted itself (ISO 32000-1, 7.6.1)."""
    with source.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"/Encrypt") >= 0


def _reading(reader: str, file: PdfFile | None, error: str, index: int) -> Reading:
    """One library's reading of one page. BudgetError is not the page's fault and passes."""
    if file is None:
        return Reading(reader, error=error)
    if index >= file.n_pages:
        return Reading(reader, error=f"{reader} finds only {file.n_pages} pages")
    try:
        text, doubt = file.read_page(index)
    except BudgetError:
        raise
    except PdfError as failure:
        return Reading(reader, error=str(failure))
    return Reading(reader, text, doubt)
