"""pdfium, behind the questions of `pdf_page`: the only module that imports pypdfium2."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.readers.pdf_page import PasswordError, PdfError, password_candidates

_HYPHEN_AT_LINE_END = "\ufffe"
"""pdfium writes this noncharacter for the hyphen, and the line feed, of a word that goes on in the next line."""
_MAX_FORM_DEPTH = 8
logging.getLogger("pypdfium2").addHandler(logging.NullHandler())  # else its log goes to standard error
_ERRORS = (pypdfium2.PdfiumError, OSError, ValueError, ctypes.ArgumentError)


class PdfiumFile:
    """One PDF opened by pdfium. See `PdfFile`."""

    name = "pypdfium2"

    def __init__(self, path: Path, password: str | None) -> None:
        """Open and decrypt.

        Args:
            path: The file.
            password: Tried after the empty one; None when none was given.

        Raises:
            PasswordError: pdfium says that no password opens it. It also says so of some damaged files.
            PdfError: pdfium cannot open it.
        """
        self._document = _open(path, password)
        self._document.init_forms()
        self.n_pages = len(self._document)

    def has_page(self, index: int) -> bool:
        """Whether there is such a page, or only a number of pages that says so. A hundredth of the work of reading."""
        try:
            self._document.get_page_size(index)
        except _ERRORS:
            return False
        return True

    def read_page(self, index: int) -> tuple[str, str]:
        """See `PdfFile`. pdfium expresses no doubts."""
        try:
            page = self._flattened(index)
            try:
                textpage = page.get_textpage()
                text: str = textpage.get_text_range()
                textpage.close()
            finally:
                page.close()
        except _ERRORS as error:
            raise PdfError(f"pdfium: {_sentence(error)}") from error
        return text.replace(_HYPHEN_AT_LINE_END, "-\n"), ""

    def _flattened(self, index: int) -> pypdfium2.PdfPage:
        """The page, with what is typed into form fields and notes made part of it (not of the file)."""
        page = self._document[index]
        if pdfium.FPDFPage_GetAnnotCount(page) == 0:
            return page
        try:
            pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        finally:
            page.close()
        return self._document[index]  # as loaded before, it does not know what was added

    def has_image(self, index: int) -> bool:
        """See `PdfFile`."""
        try:
            page = self._document[index]
            try:
                images = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_MAX_FORM_DEPTH)
                return next(iter(images), None) is not None
            finally:
                page.close()
        except _ERRORS:
            return False

    def labels(self) -> tuple[str | None, ...]:
        """See `PdfFile`."""
        try:
            return tuple(self._document.get_page_label(index) or None for index in range(self.n_pages))
        except _ERRORS:
            return ()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """See `PdfFile`."""
        try:
            return tuple(self._document.get_metadata_dict(skip_empty=True).items())
        except _ERRORS:
            return ()

    def close(self) -> None:
        """See `PdfFile`."""
        self._document.close()


def _open(path: Path, password: str | None) -> pypdfium2.PdfDocument:
    for candidate in password_candidates(password):
        try:
            return pypdfium2.PdfDocument(path, password=candidate or None)
        except pypdfium2.PdfiumError as error:
            if error.err_code != pdfium.FPDF_ERR_PASSWORD:
                raise PdfError(f"pdfium: {_sentence(error)}") from error
        except _ERRORS as error:
            raise PdfError(f"pdfium: {_sentence(error)}") from error
    raise PasswordError("the password does not open it")


def _sentence(error: BaseException) -> str:
    return str(error)[:200].rstrip(".") or type(error).__name__
