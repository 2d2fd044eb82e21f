"""One source in, its Document or a Reject out, whatever the file is. This is what runs in the reading processes.

Content decides before the name: a PDF named .txt is read as a PDF, and an image named .pdf is refused as what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

from pipeline.errors import Reject, RejectCode
from pipeline.readers import sniff
from pipeline.readers.document import Document, UnreadableError
from pipeline.sources import Source, hash_file

_READING = 1  # raise it when the readers give other text for the same bytes: documents are then read again


def reading_version(pdf_reader: str = "pypdf") -> str:
    """What determines the text that comes out of given bytes: our rules, the PDF libraries, and which is preferred."""
    libraries = f"pypdf {metadata.version('pypdf')} pypdfium2 {metadata.version('pypdfium2')}"
    return f"{_READING} {libraries}" + ("" if pdf_reader == "pypdf" else f" {pdf_reader} first")


def reader_for(pdf_reader: str) -> Callable[[Source], Document | Reject]:
    """The function that children read with, for a job's input.pdf_reader."""
    return {"pypdf": read_source, "pypdfium2": read_source_fast}[pdf_reader]


def read_source_fast(source: Source) -> Document | Reject:
    """As `read_source`, with pypdfium2 as the preferred reader of PDFs."""
    return read_source(source, "pypdfium2")


def read_source(source: Source, pdf_reader: str = "pypdf") -> Document | Reject:
    """Read one file in the format it has.

    Args:
        source: The file.
        pdf_reader: The preferred library for PDFs, "pypdf" or "pypdfium2".

    Returns:
        The Document, or a Reject with a code of the stage READ (SOURCE_UNREADABLE when the file cannot be opened, or
        no longer holds the bytes that were hashed: what was read would stand under another content's doc_key).

    Raises:
        MemoryError: The process may not use as much memory as the file needs; `pool` makes it a Reject.
    """
    result = _read_or_reject(source, pdf_reader)
    try:
        if hash_file(source.path)[0] == source.sha256:
            return result
    except OSError as error:
        return _reject(source, RejectCode.SOURCE_UNREADABLE, f"The file cannot be opened: {error.strerror or error}.")
    return _reject(source, RejectCode.SOURCE_UNREADABLE, "The file was changed before it was read to its end.")


def _read_or_reject(source: Source, pdf_reader: str) -> Document | Reject:
    try:
        return _read(source, pdf_reader)
    except UnreadableError as error:
        return _reject(source, error.code, error.detail)
    except OSError as error:
        return _reject(source, RejectCode.SOURCE_UNREADABLE, f"The file cannot be opened: {error.strerror or error}.")
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (parsers of untrusted files raise anything)
        what = f"{type(error).__name__}: {str(error)[:300]}"
        return _reject(source, RejectCode.READER_CRASHED, f"The reader failed with {what.rstrip('.')}.")


def _read(source: Source, pdf_reader: str) -> Document:
    # Here, so that only the processes that read load the PDF libraries.
    from pipeline.readers.pdf import read_pdf
    from pipeline.readers.transcript import EXTENSIONS, read_transcript

    suffix = source.path.suffix.lower()
    head, _ = sniff.read_ends(source.path)
    if not head:
        raise UnreadableError(RejectCode.EMPTY_FILE, "The file has no bytes.")
    if suffix == ".pdf" or sniff.is_pdf(head):
        return read_pdf(source, prefer_pdfium=pdf_reader == "pypdfium2")
    if suffix not in EXTENSIONS and (what := sniff.name_content(head)):
        raise UnreadableError(RejectCode.UNSUPPORTED_FORMAT, f"The file holds {what}.")
    return read_transcript(source)


def _reject(source: Source, code: RejectCode, detail: str) -> Reject:
    return Reject(code=code, detail=detail, uri=source.uri, doc_id=source.doc_id)
