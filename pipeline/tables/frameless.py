"""Keeps pyarrow from importing pandas, which it does at the first list it makes an array of: half a second, 40 MB.

It looks for pandas once and remembers what it found; what asks for a data frame later still gets one.
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


class _NoPandas:
    """Finds every module as before, but for one."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is hidden from pyarrow at the start of this process", name=name)
