"""Parquet files of ours: how they are written, and how they are opened so that a damaged one is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError

FORM = {"compression": "zstd", "write_page_checksum": True}
"""Options of every file we write; without checksums a flipped bit may read as another value."""


@contextmanager
def open_parquet(
    path: Path, columns: Sequence[str] | None = None, dictionaries: Sequence[str] = ()
) -> Iterator[pq.ParquetFile]:
    """Open a file; what is found wrong with it until the block ends is an OutputError.

    Args:
        path: The file.
        columns: Columns that will be read; None: all.
        dictionaries: Columns whose few values are to come as a dictionary.

    Raises:
        FileNotFoundError: It is not there; the caller knows whether it may be.
        OutputError: It is damaged, may not be read, or lacks one of the columns.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=list(dictionaries)) as file:
            for name in columns or ():
                if name not in file.schema_arrow.names:
                    message = f"{path} has no column {name!r}: another version wrote it. Use a new output folder."
                    raise OutputError(message)
            yield file
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:  # the last: a name in a damaged footer
        raise OutputError(describe_damage(path, error)) from error


def describe_damage(path: Path, error: Exception) -> str:
    """The message for a file of ours that cannot be read."""
    return (
        f"Cannot read {path}: {str(error).rstrip('.')}. It was whole when it was written: restore it from a copy, or "
        "mend its permissions. A part of journal/ may be removed instead: what it holds is then done again."
    )
