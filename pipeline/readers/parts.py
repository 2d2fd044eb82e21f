"""How a large document is read by many children: what is known before its pages are, and its pages part by part.

Where a document is cut depends on its number of pages alone, so that the same text comes out on any machine. Knows no
PDF library: the parent of the reading processes uses this too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pipeline.errors import Reject
from pipeline.readers.document import Document
from pipeline.readers.pdf_choice import Page
from pipeline.sources import Source

PART_PAGES = 16
"""Most pages of a part: half a second of pypdf, which is what a core may wait for the others at the end. A document of
more is cut, into parts of nearly the same size."""
PYPDF_BUDGET_S = 20.0
"""Processor seconds pypdf may spend on one document (some 600 pages), the parts of a large one together; then pdfium
reads all of it, so that one reader has the whole text."""
Stamp = tuple[int, ...]
"""Device, inode, size and times of a file: equal as long as nobody has written to it."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a document before its pages are read.

    Attributes:
        n_pages: How many it has.
        labels: The label of each page in order, None for a page without; empty when there are none.
        metadata: Name and value pairs, as found.
        pypdf_s: Processor seconds that pypdf took to open the file.
        has_pdfium: Whether pdfium can open it.
        stamp: The file's, when its bytes were those that were hashed.
    """

    n_pages: int
    labels: tuple[str | None, ...]
    metadata: tuple[tuple[str, str], ...]
    pypdf_s: float = 0.0
    has_pdfium: bool = True
    stamp: Stamp = ()

    @property
    def parts(self) -> list[range]:
        """The indexes of the pages of each part, in order."""
        n_parts = -(-self.n_pages // PART_PAGES)
        ends = [self.n_pages * number // n_parts for number in range(n_parts + 1)]
        return [range(start, end) for start, end in pairwise(ends)]


@dataclass(frozen=True, slots=True)
class Part:
    """Some pages of a source, for one child.

    Attributes:
        source: The file.
        pages: Indexes, from 0.
        stamp: What the file's must still be; see `Head`.
        pypdf_error: Why pypdf is not to be asked; "" when it may be.
    """

    source: Source
    pages: range
    stamp: Stamp = ()
    pypdf_error: str = ""


@dataclass(frozen=True, slots=True)
class PartRead:
    """What a part gave.

    Attributes:
        pages: In order.
        pypdf_s: Processor seconds that pypdf took; infinite, and no pages, when it used up its budget in this part.
        open_s: Wall-clock seconds it took to open the file once more, which one child alone would not have done.
    """

    pages: tuple[Page, ...]
    pypdf_s: float = 0.0
    open_s: float = 0.0


Task = Source | Part
"""What a child is given: a whole source, or a part of one."""
Reading = Document | Reject | Head | PartRead
"""What it gives back: a Head where the source is to be read in parts."""
Read = Callable[[Task], Reading]
"""A function at the top of a module: children import it by name."""


def describe_overrun(budget_s: float) -> str:
    """Why pypdf is not asked any more, for the detail of a page."""
    return f"pypdf has used up its {budget_s:g} s"


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file as it is now. Raises OSError."""
    status = path.stat()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
