"""A large document while it is read: its parts out, their pages in, and the Document when all are there.

It lives in the parent. Whichever children read the parts, and in whatever order they finish, the same comes out.
"""

from __future__ import annotations

from collections import deque

from pipeline.errors import Reject, RejectCode
from pipeline.readers.document import Document, UnreadableError
from pipeline.readers.limits import ReadLimits, build_reject
from pipeline.readers.parts import PYPDF_BUDGET_S, Head, Part, PartRead, describe_overrun
from pipeline.readers.pdf_choice import Page
from pipeline.readers.pdf_compose import compose
from pipeline.sources import Source


class Assembly:
    """The parts of one document. pypdf's time is summed: when it is used up, all parts are read again without it."""

    def __init__(self, source: Source, head: Head, seconds: float, limits: ReadLimits) -> None:
        """Cut it.

        Args:
            source: The document's.
            head: What is known of it.
            seconds: What that took; counts against the time limit.
            limits: The time limit.
        """
        self.source = source
        self._head, self._limits = head, limits
        self._seconds, self._pypdf_s = seconds, head.pypdf_s
        self._pypdf_error = ""
        self._is_done = False
        self._cut()

    def _cut(self) -> None:
        error, stamp = self._pypdf_error, self._head.stamp
        self._waiting = deque(Part(self.source, pages, stamp, error) for pages in self._head.parts)
        self._n_missing = len(self._waiting)
        self._pages: dict[int, tuple[Page, ...]] = {}

    @property
    def has_waiting(self) -> bool:
        """Whether there is a part that no child has."""
        return bool(self._waiting)

    @property
    def seconds_left(self) -> float:
        """What a part may take now, above 0."""
        return max(self._limits.timeout_s - self._seconds, 0.001)

    def next_part(self) -> Part:
        """The next part to read; there must be one."""
        return self._waiting.popleft()

    def wants(self, part: Part) -> bool:
        """Whether a part that is being read is still of use."""
        return not self._is_done and part.pypdf_error == self._pypdf_error

    def add(self, part: Part, result: PartRead | Reject, seconds: float) -> Document | Reject | None:
        """Take what a part gave.

        Args:
            part: Which.
            result: Its pages, or why there are none.
            seconds: Wall-clock time it took, with opening the file.

        Returns:
            The document, or its reject; None while parts are missing.
        """
        done = self._add(part, result, seconds)
        self._is_done = done is not None
        return done

    def _add(self, part: Part, result: PartRead | Reject, seconds: float) -> Document | Reject | None:
        if isinstance(result, Reject):
            return result
        self._seconds += seconds - result.open_s
        if self._seconds > self._limits.timeout_s:
            return self._limits.timed_out(self.source)
        self._pypdf_s += result.pypdf_s
        self._pages[part.pages.start] = result.pages
        self._n_missing -= 1
        if self._pypdf_s > PYPDF_BUDGET_S and not self._pypdf_error:
            return self._without_pypdf()
        return None if self._n_missing else self._compose()

    def _without_pypdf(self) -> Reject | None:
        self._pypdf_error = describe_overrun(PYPDF_BUDGET_S)
        if not self._head.has_pdfium:
            detail = f"{self._pypdf_error}, and pdfium cannot open the file."
            return build_reject(self.source, RejectCode.READ_TIMEOUT, detail)
        self._cut()
        return None

    def _compose(self) -> Document | Reject:
        pages = [page for start in sorted(self._pages) for page in self._pages[start]]
        try:
            return compose(self.source, self._head, pages)
        except UnreadableError as error:
            return build_reject(self.source, error.code, error.detail)
