"""The baseline of `reading.py`: every page of every file by one library in one process, with nothing around it.

    python benchmarks/plain_reading.py pypdf < PATHS      (one path a line; prints one line of JSON)

A page or file that the library cannot read is left out of the pages, and its time counts.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pypdfium2


def iter_pypdf(path: Path) -> Iterator[str]:
    """As pypdf's own example reads a file."""
    reader = pypdf.PdfReader(path)
    for index in range(len(reader.pages)):
        try:
            yield reader.pages[index].extract_text()
        except Exception as error:  # noqa: BLE001  (damaged files make pypdf raise anything)
            print(f"{path.name}, page {index + 1}: {error!r}", file=sys.stderr)


def iter_pdfium(path: Path) -> Iterator[str]:
    """As pypdfium2's own example reads a file."""
    document = pypdfium2.PdfDocument(path)
    for index in range(len(document)):
        try:
            yield document[index].get_textpage().get_text_range()
        except pypdfium2.PdfiumError as error:
            print(f"{path.name}, page {index + 1}: {error!r}", file=sys.stderr)
    document.close()


def main(library: str) -> None:
    """Read what standard input names."""
    logging.disable()
    paths = [Path(line) for line in sys.stdin.read().splitlines()]
    read = {"pypdf": iter_pypdf, "pypdfium2": iter_pdfium}[library]
    n_pages, start_s = 0, time.perf_counter()
    for path in paths:
        try:
            n_pages += sum(1 for _ in read(path))
        except Exception as error:  # noqa: BLE001  (the same, while a file is opened)
            print(f"{path.name}: {error!r}", file=sys.stderr)
    print(json.dumps({"seconds": time.perf_counter() - start_s, "pages": n_pages}))


if __name__ == "__main__":
    main(sys.argv[1])
