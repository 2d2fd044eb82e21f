"""PDF: one segment a page, each with the reader its text came from.

In: a Source. Out: a Document, or UnreadableError. Two libraries read every page; pypdf's text is taken unless it
failed, is garbled, or the other shows it to be wrong (`pdf_choice`). pdfium is twelve times as fast as pypdf, so the
second reading costs 8 % and finds the wrong text that comes without an exception.
"""

from __future__ import annotations

import mmap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.errors import RejectCode
from pipeline.readers import sniff
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus, UnreadableError
from pipeline.readers.pdf_choice import Page, Reading, choose, is_doubtful
from pipeline.readers.pdf_page import BudgetError, PasswordError, PdfError, PdfFile
from pipeline.readers.pdf_pdfium import PdfiumFile
from pipeline.readers.pdf_pypdf import PypdfFile
from pipeline.readers.pdf_text import clean_line
from pipeline.sources import Source

PYPDF_BUDGET_S = 20.0
"""Processor seconds pypdf may spend on one document (some 600 pages); then pdfium reads all of it."""
SEPARATOR = "\n\n"
"""Follows the text of each page that has text, inside its segment."""


def read_pdf(
    source: Source,
    *,
    prefer_pdfium: bool = False,
    pypdf_budget_s: float = PYPDF_BUDGET_S,
    clock: Callable[[], float] = time.thread_time,
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
    files = _open(source, pypdf_budget_s, clock)
    try:
        n_pages = _count_pages(files)
        pages = _read_pages(files, n_pages, prefer_pdfium)
        _check_text(pages)
        labels = files.labels()
        metadata = files.metadata()
    finally:
        files.close()
    return _compose(source, pages, labels, metadata)


@dataclass(slots=True)
class _Files:
    """The same PDF opened by both libraries; at least one could."""

    pypdf: PypdfFile | None
    pdfium: PdfiumFile | None
    pypdf_error: str = ""
    pdfium_error: str = ""

    def opened(self) -> list[PdfFile]:
        return [file for file in (self.pypdf, self.pdfium) if file is not None]

    def labels(self) -> tuple[str | None, ...]:
        return next((labels for file in self.opened() if (labels := file.labels())), ())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        return next((pairs for file in self.opened() if (pairs := file.metadata())), ())

    def give_up_pypdf(self, why: str) -> None:
        if self.pypdf is not None:
            self.pypdf.close()
        self.pypdf, self.pypdf_error = None, why

    def close(self) -> None:
        for file in self.opened():
            file.close()


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


def _open(source: Source, pypdf_budget_s: float, clock: Callable[[], float]) -> _Files:
    """Open with both libraries.

    Raises:
        UnreadableError: ENCRYPTED or CORRUPT, when neither can.
    """
    files = _Files(None, None)
    refused = False
    try:
        files.pypdf = PypdfFile(source.path, source.password, pypdf_budget_s, clock)
    except PasswordError:
        refused = True
    except PdfError as error:
        files.pypdf_error = str(error)
    try:
        files.pdfium = PdfiumFile(source.path, source.password)
    except PasswordError as error:
        # pdfium says so of some damaged files too; an encrypted one names its encryption in clear
        refused = refused or (files.pypdf is None and _names_encryption(source))
        files.pdfium_error = f"pdfium: {error}"
    except PdfError as error:
        files.pdfium_error = str(error)
    if files.opened():
        return files
    if refused:
        raise UnreadableError(RejectCode.ENCRYPTED, _password_detail(source))
    detail = f"Neither PDF library can open the file ({files.pypdf_error}; {files.pdfium_error})."
    raise UnreadableError(RejectCode.CORRUPT, detail)


def _names_encryption(source: Source) -> bool:
    """True when a trailer has /Encrypt, which is never compressed nor encrypted itself (ISO 32000-1, 7.6.1)."""
    with source.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"/Encrypt") >= 0


def _password_detail(source: Source) -> str:
    if source.password:
        return "The file is encrypted and the password given for it is wrong."
    return "The file is encrypted and no password was given."


def _count_pages(files: _Files) -> int:
    """The number of pages; where the libraries differ, the greater, if pdfium can load a page pypdf does not have.

    Raises:
        UnreadableError: NO_PAGES.
    """
    n_pages = max(file.n_pages for file in files.opened())
    if files.pypdf and files.pdfium and files.pypdf.n_pages < n_pages:
        n_pages = n_pages if _loads(files.pdfium, files.pypdf.n_pages) else files.pypdf.n_pages
    if n_pages == 0:
        raise UnreadableError(RejectCode.NO_PAGES, "The file is a PDF without pages.")
    return n_pages


def _loads(file: PdfFile, index: int) -> bool:
    try:
        file.read_page(index)
    except PdfError:
        return False
    return True


def _read_pages(files: _Files, n_pages: int, prefer_pdfium: bool) -> list[Page]:
    """All pages by both libraries; when pypdf takes too long, all by pdfium, so that one reader has the whole text."""
    try:
        return list(_iter_pages(files, n_pages, prefer_pdfium))
    except BudgetError as error:
        if files.pdfium is None:
            raise UnreadableError(RejectCode.READ_TIMEOUT, f"{error}, and pdfium cannot open the file.") from error
        files.give_up_pypdf(str(error))
        return list(_iter_pages(files, n_pages, prefer_pdfium))


def _iter_pages(files: _Files, n_pages: int, prefer_pdfium: bool) -> Iterator[Page]:
    for index in range(n_pages):
        first = _reading("pypdfium2", files.pdfium, files.pdfium_error, index)
        second = Reading("pypdf")
        if not prefer_pdfium or is_doubtful(first):
            second = _reading("pypdf", files.pypdf, files.pypdf_error, index)
        first, second = (first, second) if prefer_pdfium else (second, first)
        is_blank = first.is_blank and second.is_blank
        yield choose(first, second, is_blank and any(file.has_image(index) for file in files.opened()))


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


def _check_text(pages: list[Page]) -> None:
    """Refuse a document without one usable page, saying what its pages are."""
    counts = Counter(page.status for page in pages)
    if counts[SegmentStatus.READ]:
        return
    what = ", ".join(f"{n} {status.value.replace('_', ' ')}" for status, n in counts.items())
    detail = f"No page of {len(pages)} has usable text ({what})."
    if counts[SegmentStatus.IMAGE_ONLY]:
        raise UnreadableError(RejectCode.IMAGE_ONLY, detail)
    if counts[SegmentStatus.GARBLED]:
        raise UnreadableError(RejectCode.GARBLED_TEXT, detail)
    if counts[SegmentStatus.FAILED]:
        why = next(page.detail for page in pages if page.status is SegmentStatus.FAILED)
        raise UnreadableError(RejectCode.CORRUPT, f"{detail[:-1]}: {why}.")
    raise UnreadableError(RejectCode.NO_TEXT, detail)


def _compose(
    source: Source, pages: list[Page], labels: tuple[str | None, ...], metadata: tuple[tuple[str, str], ...]
) -> Document:
    """Put the pages' texts behind each other, each followed by SEPARATOR."""
    texts: list[str] = []
    segments: list[Segment] = []
    position = 0
    for index, page in enumerate(pages):
        text = page.text + SEPARATOR if page.text else ""
        label = labels[index] if index < len(labels) else None
        segments.append(
            Segment(
                kind=SegmentKind.PAGE,
                start=position,
                end=position + len(text),
                status=page.status,
                reader=page.reader,
                page_number=index + 1,
                page_label=clean_line(label) or None if label else None,
                detail=clean_line(page.detail),
            )
        )
        texts.append(text)
        position += len(text)
    return Document(
        doc_id=source.doc_id,
        doc_key=source.doc_key,
        uri=source.uri,
        format="pdf",
        text="".join(texts),
        segments=tuple(segments),
        metadata=tuple((clean_line(name), clean_line(value)) for name, value in metadata),
    )
