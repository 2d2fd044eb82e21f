"""A Pydantic model named `schemas/x.py:Model` in, its JSON Schema as text out.

The file is the user's code: it runs in a child process with a time limit, so nothing of it stays in this one, and what
it prints or raises becomes one sentence.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.errors import SchemaError
from pipeline.schema.pydantic_child import REFUSED

TIMEOUT_S = 60.0
"""Wall-clock seconds that the file may take to be imported."""
_NOTHING = subprocess.DEVNULL
"""No pipe: a process that the user's file leaves behind would hold it open, and us up."""
_CHILD = Path(__file__).with_name("pydantic_child.py")


def is_model(path: Path) -> bool:
    """Whether a task's schema names a model rather than a file: `x.py:Model`."""
    file, colon, name = path.name.rpartition(":")
    return bool(colon) and file.endswith(".py") and bool(name)


def read_model(path: Path) -> str:
    """Give the JSON Schema (2020-12, validation mode) of a model.

    Args:
        path: The file, a colon and the name of the class; a class in a class has a dotted name.

    Raises:
        SchemaError: the file is not there, cannot be imported in TIMEOUT_S, or has no such model. The message does not
            name the path; it says the line where importing failed.
    """
    file, _, name = path.name.rpartition(":")
    source = path.with_name(file)
    if not source.is_file():
        raise SchemaError(f"there is no file {source}; correct the path in the job file")
    with tempfile.TemporaryDirectory(prefix="schema-") as folder:
        result = Path(folder) / "result"
        status = _run(source, name, result)
        said = result.read_text(encoding="utf-8", errors="replace") if result.exists() else ""
    if status == 0 and said:
        return said
    if status == REFUSED:
        raise SchemaError(said[:500])
    raise SchemaError(f"importing {file} ended the process that did it (status {status}); import nothing that does")


def _run(source: Path, name: str, result: Path) -> int:
    command = [sys.executable, "-P", str(_CHILD), str(source.resolve()), name, str(result)]
    try:
        done = subprocess.run(command, check=False, timeout=TIMEOUT_S, stdin=_NOTHING, stdout=_NOTHING, stderr=_NOTHING)
    except subprocess.TimeoutExpired as exc:
        reason = f"importing {source.name} took more than {TIMEOUT_S:.0f} s; a file of models should only define them"
        raise SchemaError(reason) from exc
    return done.returncode
