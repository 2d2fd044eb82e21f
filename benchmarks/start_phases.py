"""One process that does what `pipeline run` does before its engine starts, phase by phase, and prints their seconds.

    python benchmarks/start_phases.py JOB

Prints a JSON object. No engine is started; vLLM is imported last, as its thread would import it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

_IMPORTS = {
    "import: the command line": ("pipeline.cli.app", "pipeline.cli.run"),
    "import: pyarrow, and no pandas": ("pipeline.tables.lean",),
    "import: schemas": ("pipeline.schema.load",),
    "import: tokenizers": ("pipeline.prompts.hf_tokenizer",),
    "import: the rest of a run": ("pipeline.cli.progress", "pipeline.flow.local", "pipeline.flow.plan"),
}
_Done = TypeVar("_Done")


class Phases:
    """Times what it is given to do.

    Attributes:
        seconds: Of each phase, by name.
    """

    def __init__(self) -> None:
        """The first phase is what went before: the interpreter's own start, as the system tells it (Linux)."""
        self.seconds = {"Python": _process_age_s()}

    def time(self, name: str, do: Callable[[], _Done]) -> _Done:
        """Do it."""
        began_s = time.monotonic()
        done = do()
        self.seconds[name] = time.monotonic() - began_s
        return done


def main() -> int:
    """All phases, in the order of a run."""
    phases = Phases()
    for name, modules in _IMPORTS.items():
        phases.time(name, lambda modules=modules: [import_module(each) for each in modules])  # type: ignore[misc]
    _prepare(phases, Path(sys.argv[1]))
    phases.time("import: vLLM, in its thread", lambda: import_module("vllm"))
    print(json.dumps(phases.seconds))
    return 0


def _prepare(phases: Phases, path: Path) -> None:
    """What a plan is made of, and the first document."""
    from pipeline.flow.plan import build_plan
    from pipeline.job import load_job
    from pipeline.models import resolve_model
    from pipeline.prompts.tokenizers import load_tokenizer
    from pipeline.readers.document import Document
    from pipeline.readers.read import read_source
    from pipeline.schema.load import load_contract
    from pipeline.sources import Source, load_source
    from pipeline.tables.state import load_state

    job = phases.time("the job", lambda: load_job(path))
    contracts = [(job.project / task.schema_path, job.max_tokens_of(task)) for task in job.tasks]
    phases.time("its schemas", lambda: [load_contract(*contract) for contract in contracts])
    model = phases.time("the model's folder", lambda: resolve_model(job.model.path, job.project))
    phases.time("the tokenizer", lambda: load_tokenizer(job.model.tokenizer, model.path, model.name))
    plan = build_plan(job)
    phases.time("the output folder's state", lambda: load_state(job.output_folder))
    source = phases.time("first document: find and hash", lambda: load_source(plan.entries[0], set()))
    if not isinstance(source, Source):
        raise RuntimeError(f"{plan.entries[0].path} cannot be read: {source.detail}")
    document = phases.time("first document: read", lambda: read_source(source))
    if not isinstance(document, Document):
        raise RuntimeError(f"{source.path} cannot be read: {document.detail}")
    phases.time("first document: tokenize and cut", lambda: plan.maker.cut(document))


def _process_age_s() -> float:
    after_name = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(after_name.split()[19]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
