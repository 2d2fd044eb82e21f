"""How fast PDFs are read, against plain pypdf and plain pypdfium2 in one process.

    python benchmarks/reading.py --corpus ../shared/data      (FOLDER holds pdf/ and cuad/)

Two workloads: all PDFs of both folders, and the longest of them alone. Ours is the whole way of the pipeline: files
hashed, children started, two readings compared, text cleaned, documents sent to the parent.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from compare import Comparison, Contender, Figures, Page, add_options, compare, write_page

from pipeline.errors import Reject
from pipeline.readers.document import SegmentStatus
from pipeline.readers.pool import ReadLimits, iter_documents
from pipeline.readers.read import reader_for
from pipeline.sources import Source, iter_entries, load_source

_PLAIN = Path(__file__).parent / "plain_reading.py"
_LONGEST = "long__pc__WaldenFull.pdf"
NOTES = (
    "Plain: one process, each page's text asked for once, no second opinion, no limits; its start and its imports are "
    "not counted. Ours: all cores, from the first file hashed to the last document received, start of the children "
    "included. pages: read without an error; the time of the others counts for everybody, and nobody is stopped early.",
    "The ratio is of seconds for the same files, plain pypdf's divided by the contender's is the factor of speed: 0.5x "
    "of its seconds is twice as fast. The goals: 0.9 x cores for pypdf, 8 for pypdfium2; 0.8 x cores for one file.",
)


def main() -> int:
    """Compare; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data"), help="the folder of pdf/ and cuad/")
    add_options(parser)
    options = parser.parse_args()
    paths = find_pdfs(options.corpus)
    if not paths:
        parser.error(f"there is no PDF in pdf/ and cuad/ below {options.corpus}")
    n_cores = len(os.sched_getaffinity(0))
    comparisons = [compare_readers(f"{len(paths)} PDFs", paths, options.times, (0.9 * n_cores, 8.0))]
    if longest := [path for path in paths if path.name == _LONGEST]:
        goals = (0.8 * n_cores, None)
        comparisons.append(compare_readers("One PDF of 249 pages", longest, options.times, goals))
    page = Page(
        name="reading",
        title="Reading",
        command="python benchmarks/reading.py",
        comparisons=comparisons,
        notes=NOTES,
        packages=("pypdf", "pypdfium2"),
    )
    return write_page(page, options.out)


def find_pdfs(corpus: Path) -> list[Path]:
    """Every PDF of both folders, whatever the case of its suffix, in order."""
    found = (path for folder in ("pdf", "cuad") for path in (corpus / folder).rglob("*"))
    return sorted(path.resolve() for path in found if path.suffix.lower() == ".pdf")


def compare_readers(title: str, paths: Sequence[Path], times: int, goals: tuple[float, float | None]) -> Comparison:
    """Interleave both libraries alone and ours with both settings.

    Args:
        title: What is read.
        paths: The files.
        times: Rounds.
        goals: How many times as fast as plain pypdf ours must be, with pypdf and with pypdfium2; None: no goal.
    """
    contenders = [
        Contender("plain pypdf", partial(read_plainly, paths, "pypdf")),
        Contender("plain pypdfium2", partial(read_plainly, paths, "pypdfium2")),
        *(
            Contender(f'pdf_reader = "{name}"', partial(read_by_children, paths, name), at_most=goal and 1 / goal)
            for name, goal in zip(("pypdf", "pypdfium2"), goals, strict=True)
        ),
    ]
    return compare(title, contenders, "plain pypdf", times)


def read_plainly(paths: Sequence[Path], library: str) -> Figures:
    """One library in a process of its own."""
    command = [sys.executable, str(_PLAIN), library]
    given = "\n".join(map(str, paths))
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    return _figures(figures["seconds"], figures["pages"])


def read_by_children(paths: Sequence[Path], pdf_reader: str) -> Figures:
    """As a run of the pipeline does."""
    start_s, n_pages = time.perf_counter(), 0
    entries = iter_entries([str(path) for path in paths], None, Path())
    loaded = (load_source(entry, set()) for entry in entries)
    sources = (source for source in loaded if isinstance(source, Source))
    for _, document in iter_documents(sources, ReadLimits(), reader_for(pdf_reader)):
        if not isinstance(document, Reject):
            n_pages += sum(segment.status is not SegmentStatus.FAILED for segment in document.segments)
    return _figures(time.perf_counter() - start_s, n_pages)


def _figures(seconds: float, n_pages: int) -> Figures:
    return {"seconds": seconds, "pages": n_pages, "pages/s": n_pages / seconds}


if __name__ == "__main__":
    sys.exit(main())
