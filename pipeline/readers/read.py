"""One source in, its Document or a Reject out, whatever the file is. This is what runs in the reading processes.

Content decides before the name: a PDF named .txt is read as a PDF, and an image named .pdf is refused as what it is.
A large PDF is not read at once: its Head comes out, and its pages as they are asked for; see `parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import metadata
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import Reject, RejectCode
from pipeline.readers import sniff
from pipeline.readers.document import Document, UnreadableError
from pipeline.readers.limits import build_reject
from pipeline.readers.parts import Head, Part, PartRead, Read, Stamp, Task, stamp_of
from pipeline.sources import Source, hash_file

if TYPE_CHECKING:
    from pipeline.readers.pdf import PdfParts

_READING = 1  # raise it when the readers give other text for the same bytes: documents are then read again
_FAST = "pypdfium2"
_Result = TypeVar("_Result", Document, Document | Head, PartRead)


def reading_version(pdf_reader: str = "pypdf") -> str:
    """What determines the text that comes out of given bytes: our rules, the PDF libraries, and which is preferred."""
    libraries = f"pypdf {metadata.version('pypdf')} pypdfium2 {metadata.version('pypdfium2')}"
    return f"{_READING} {libraries}" + ("" if pdf_reader == "pypdf" else f" {pdf_reader} first")


def reader_for(pdf_reader: str) -> Read:
    """The function that children read with, for a job's input.pdf_reader."""
    return {"pypdf": read_task, _FAST: read_task_fast}[pdf_reader]


def read_task_fast(task: Task) -> Document | Reject | Head | PartRead:
    """As `read_task`, with pypdfium2 as the preferred library for PDFs."""
    return read_task(task, _FAST)


def read_task(task: Task, pdf_reader: str = "pypdf") -> Document | Reject | Head | PartRead:
    """Read one file, or what is asked of a large one.

    Args:
        task: A file, or a part of one.
        pdf_reader: The preferred library for PDFs, "pypdf" or "pypdfium2".

    Returns:
        For a file, what `read_source` gives, or the Head of one that is to be read in parts. For a part, what it gave,
        or the Reject of the whole file.

    Raises:
        MemoryError: As `read_source`.
    """
    if isinstance(task, Part):
        return _checked(task.source, partial(_read_part, task, pdf_reader), task.stamp)
    return _checked(task, partial(_begin, task, pdf_reader))


def read_source(source: Source, pdf_reader: str = "pypdf") -> Document | Reject:
    """Read one file in the format it has, however large it is.

    Args:
        source: The file.
        pdf_reader: The preferred library for PDFs, "pypdf" or "pypdfium2".

    Returns:
        The Document, or a Reject with a code of the stage READ (SOURCE_UNREADABLE when the file cannot be opened, or
        no longer holds the bytes that were hashed: what was read would stand under another content's doc_key).

    Raises:
        MemoryError: The process may not use as much memory as the file needs; `pool` makes it a Reject.
    """
    return _checked(source, partial(_read, source, pdf_reader))


def _checked(source: Source, read: Callable[[], _Result], stamp: Stamp = ()) -> _Result | Reject:
    """Read, and see that the file still holds the bytes that were hashed; it does while it has this stamp."""
    result = _or_reject(source, read)
    try:
        if (stamp and stamp_of(source.path) == stamp) or hash_file(source.path)[0] == source.sha256:
            return result
    except OSError as error:
        return _cannot_open(source, error)
    return build_reject(source, RejectCode.SOURCE_UNREADABLE, "The file was changed before it was read to its end.")


def _or_reject(source: Source, read: Callable[[], _Result]) -> _Result | Reject:
    try:
        return read()
    except UnreadableError as error:
        return build_reject(source, error.code, error.detail)
    except OSError as error:
        return _cannot_open(source, error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (parsers of untrusted files raise anything)
        what = f"{type(error).__name__}: {str(error)[:300]}"
        return build_reject(source, RejectCode.READER_CRASHED, f"The reader failed with {what.rstrip('.')}.")


def _cannot_open(source: Source, error: OSError) -> Reject:
    detail = f"The file cannot be opened: {error.strerror or error}."
    return build_reject(source, RejectCode.SOURCE_UNREADABLE, detail)


def _read(source: Source, pdf_reader: str) -> Document:
    if not _is_pdf(source):
        return _read_transcript(source)
    # Here and below, so that only the processes that read load the PDF libraries.
    from pipeline.readers.pdf import read_pdf

    return read_pdf(source, prefer_pdfium=pdf_reader == _FAST)


def _begin(source: Source, pdf_reader: str) -> Document | Head:
    if _is_pdf(source):
        return _pdf_parts().begin(source, pdf_reader == _FAST)
    if _pdf_parts.cache_info().currsize:
        _pdf_parts().close()
    return _read_transcript(source)


def _read_part(part: Part, pdf_reader: str) -> PartRead:
    return _pdf_parts().read(part, pdf_reader == _FAST)


@cache
def _pdf_parts() -> PdfParts:
    """This process's one."""
    from pipeline.readers.pdf import PdfParts

    return PdfParts()


def _is_pdf(source: Source) -> bool:
    """Whether it is to be read as a PDF. Refuses an empty file."""
    head, _ = sniff.read_ends(source.path)
    if not head:
        raise UnreadableError(RejectCode.EMPTY_FILE, "The file has no bytes.")
    return source.path.suffix.lower() == ".pdf" or sniff.is_pdf(head)


def _read_transcript(source: Source) -> Document:
    from pipeline.readers.transcript import EXTENSIONS, read_transcript

    head, _ = sniff.read_ends(source.path)
    if source.path.suffix.lower() not in EXTENSIONS and (what := sniff.name_content(head)):
        raise UnreadableError(RejectCode.UNSUPPORTED_FORMAT, f"The file holds {what}.")
    return read_transcript(source)
