"""How pyarrow is set up at the start of a process: without pandas, and with the allocator that gives memory back.

It imports pandas at the first list it makes an array of (half a second, 40 MB): it looks for pandas once and remembers
what it found; what asks for a data frame later still gets one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pyarrow as pa


def forgo_pandas() -> None:
    """Let pyarrow find no pandas. For the start of a process that makes no data frames; where it is loaded, it stays.

    Safe to call again; other threads must not import pandas at the same moment.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(finder)


def return_memory() -> None:
    """Let pyarrow allocate by jemalloc, where it was built with that.

    Its usual allocator keeps more of what was freed: writing the table of 100,000 documents takes some 60 MB less so.
    """
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


class _NoPandas:
    """Finds every module as before, but for one."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is hidden from pyarrow at the start of this process", name=name)
