"""Around the import of a very large library: seconds that the search for garbage would take."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing(name: str) -> Iterator[None]:
    """Look for no garbage while a library is imported for the first time, and never again in what that made.

    Imports leave hardly any, but so many objects that stay that a sixth of vLLM's import went into looking at them.

    Args:
        name: The library's module.
    """
    was_enabled = gc.isenabled()
    if name in sys.modules or not was_enabled:
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
