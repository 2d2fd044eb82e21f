"""One source in, its Document or a Reject out, whatever the file is. This is what runs in the reading processes.

Content decides before the name: a PDF named .txt is read as a PDF, and an image named .pdf is refused as what it is.
"""

from __future__ import annotations

from importlib import metadata

from pipeline.errors import Reject, RejectCode
from pipeline.readers import sniff
from pipeline.readers.document import Document, UnreadableError
from pipeline.sources import Source, hash_file

_READING = 1  # raise it when the readers give other text for the same bytes: documents are then read again


def reading_version() -> str:
    """What determines the text that comes out of given bytes: our rules and the PDF libraries' versions."""
    return f"{_READING} pypdf {metadata.version('pypdf')} pypdfium2 {metadata.version('pypdfium2')}"


def read_source(source: Source) -> Document | Reject:
    """Read one file in the format it has.

    Returns:
        The Document, or a Reject with a code of the stage READ (SOURCE_UNREADABLE when the file cannot be opened, or
        no longer holds the bytes that were hashed: what was read would stand under another content's doc_key).

    Raises:
        MemoryError: The process may not use as much memory as the file needs; `pool` makes it a Reject.
    """
    result = _read_or_reject(source)
    try:
        if hash_file(source.path)[0] == source.sha256:
            return result
    except OSError as error:
        return _reject(source, RejectCode.SOURCE_UNREADABLE, f"The file cannot be opened: {error.strerror or error}.")
    return _reject(source, RejectCode.SOURCE_UNREADABLE, "The file was changed before it was read to its end.")


def _read_or_reject(source: Source) -> Document | Reject:
    try:
        return _read(source)
    except UnreadableError as error:
        return _reject(source, error.code, error.detail)
    except OSError as error:
        return _reject(source, RejectCode.SOURCE_UNREADABLE, f"The file cannot be opened: {error.strerror or error}.")
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (parsers of untrusted files raise anything)
        what = f"{type(error).__name__}: {str(error)[:300]}"
        return _reject(source, RejectCode.READER_CRASHED, f"The reader failed with {what.rstrip('.')}.")


def _read(source: Source) -> Document:
    # Here, so that only the processes that read load the PDF libraries.
    from pipeline.readers.pdf import read_pdf
    from pipeline.readers.transcript import EXTENSIONS, read_transcript

    suffix = source.path.suffix.lower()
    head, _ = sniff.read_ends(source.path)
    if not head:
        raise UnreadableError(RejectCode.EMPTY_FILE, "The file has no bytes.")
    if suffix == ".pdf" or sniff.is_pdf(head):
        return read_pdf(source)
    if suffix not in EXTENSIONS and (what := sniff.name_content(head)):
        raise UnreadableError(RejectCode.UNSUPPORTED_FORMAT, f"The file holds {what}.")
    return read_transcript(source)


def _reject(source: Source, code: RejectCode, detail: str) -> Reject:
    return Reject(code=code, detail=detail, uri=source.uri, doc_id=source.doc_id)
