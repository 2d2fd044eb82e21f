"""A Pydantic model named `schemas/x.py:Model` in, its JSON Schema as text out.

The file is the user's code: it runs in a child process with a time limit, so nothing of it stays in this one, and what
it prints or raises becomes one sentence.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.errors import SchemaError

TIMEOUT_S = 60.0
"""Wall-clock seconds that the file may take to be imported."""
_WRONG = 3
"""The child's exit status when it says itself what is wrong."""

_CHILD = """
import importlib.util, json, os, sys

path, name, result = sys.argv[1:4]
os.dup2(2, 1)  # what the user's file prints is no answer


def refuse(sentence):
    with open(result, "w", encoding="utf-8") as file:
        file.write(" ".join(sentence.split()))
    os._exit(3)


sys.path.insert(0, os.path.dirname(path))
sys.dont_write_bytecode = True
try:
    spec = importlib.util.spec_from_file_location("schema_model", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["schema_model"] = module
    spec.loader.exec_module(module)
except BaseException as exc:
    line, trace = getattr(exc, "lineno", None), exc.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == path else line
        trace = trace.tb_next
    refuse(f"line {line}: {type(exc).__name__}: {exc}")
model = module
for part in name.split("."):
    model = getattr(model, part, None)
from pydantic import BaseModel, TypeAdapter

if model is None:
    known = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, BaseModel)]
    known = ", ".join(key for key in known if key != "BaseModel") or "none"
    refuse(f"it has no class {name!r}; its models: {known}")
if not (isinstance(model, type) and issubclass(model, BaseModel)):
    refuse(f"{name!r} is no pydantic BaseModel")
try:
    schema = json.dumps(model.model_json_schema(mode="validation"), ensure_ascii=False)
except Exception as exc:
    refuse(f"{name!r} has no JSON Schema: {type(exc).__name__}: {exc}")
with open(result, "w", encoding="utf-8") as file:
    file.write(schema)
os._exit(0)
"""


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
    if status == _WRONG:
        raise SchemaError(said[:500])
    raise SchemaError(f"importing {file} ended the process that did it (status {status}); import nothing that does")


def _run(source: Path, name: str, result: Path) -> int:
    command = [sys.executable, "-c", _CHILD, str(source.resolve()), name, str(result)]
    try:
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, env={**os.environ}
        )
    except subprocess.TimeoutExpired as exc:
        reason = f"importing {source.name} took more than {TIMEOUT_S:.0f} s; a file of models should only define them"
        raise SchemaError(reason) from exc
    return done.returncode
