"""What determines the rows of a job, piece by piece, so that a rerun can say what changed and what that costs.

Each component is a name that a person knows and a hash. Two runs with equal components give a document of equal content
the same rows. Which of them reach the model decides whether answers are asked again or only rows made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.engines.settings import EngineSettings, answer_facts
from pipeline.job import Job
from pipeline.prompts import reduction, render
from pipeline.prompts.answer_form import describe_answer
from pipeline.schema.load import Contract

Components = Mapping[str, str]

READERS = "the readers' version"
READ_LIMITS = "the limits of reading"
_EVIDENCE = "what becomes of unverified values ([evidence])"
_PDF_READER = "the PDF reader (input.pdf_reader)"
_ROWS = "the making of rows"
_ROWS_VERSION = 2  # raise it when the same answers give other rows
_OF_TASK = " of task "
_ASKED = ("instructions", "answer form", "max_tokens")


def build_components(
    job: Job, settings: EngineSettings, contracts: Mapping[str, Contract], tokenizer: str, reading: str
) -> dict[str, str]:
    """Name what determines the rows.

    Args:
        job: The settings.
        settings: What the engine is told.
        contracts: By task.
        tokenizer: Its identity.
        reading: The readers' version, which is another for each input.pdf_reader.
    """
    facts: dict[str, object] = {
        READERS: reading,
        READ_LIMITS: [job.input.read_timeout_s, job.input.read_memory_mb],
        **{f"the engine's {name}": fact for name, fact in answer_facts(settings, job.engine.kind).items()},
        "the tokenizer": tokenizer,
        "the chunking": [job.chunking.model_dump(), job.retries.max_attempts > 1],  # retries keep room for the reason
        "the wording of prompts": [*render.WORDING, reduction.LEAD, reduction.WISH],
        _ROWS: _ROWS_VERSION,
    }
    if job.input.pdf_reader != "pypdf":  # named where it is chosen: runs without the setting had the default
        facts[_PDF_READER] = job.input.pdf_reader
    if any(contract.asks_for_quotes for contract in contracts.values()):
        facts[_EVIDENCE] = job.evidence.model_dump()
    for task in job.tasks:
        contract = contracts[task.name]
        form = [
            contract.decoder_schema,
            describe_answer(contract.cited, contract.counted, is_wrapped=contract.is_wrapped),
        ]
        facts |= {
            f"schema {contract.path.name}{_OF_TASK}{task.name}": contract.schema,
            f"instructions{_OF_TASK}{task.name}": task.instructions,
            f"max_tokens{_OF_TASK}{task.name}": contract.max_tokens,
            f"answer form{_OF_TASK}{task.name}": form,
        }
    return {name: _hash(fact) for name, fact in facts.items()}


def fingerprint(components: Components) -> str:
    """One hash for all that a document's rows depend on, 16 hex digits. The limits of reading are for the lost ones."""
    return _hash({name: value for name, value in components.items() if name != READ_LIMITS})


@dataclass(frozen=True, slots=True)
class Change:
    """What is different between the job that settled some documents and the job now.

    Attributes:
        reasons: Sentences' beginnings, such as "schema contract.json of task contract changed".
        tasks: Tasks whose answers have to be asked again; None: all of them.
    """

    reasons: tuple[str, ...]
    tasks: frozenset[str] | None

    def n_answers(self, n_chunks: int, n_tasks: int) -> int:
        """Answers to redo for documents of n_chunks chunks in all."""
        return n_chunks * (n_tasks if self.tasks is None else len(self.tasks))


def compare(old: Components, new: Components) -> Change:
    """Say what changed, and which tasks have to be asked again."""
    new_tasks, old_tasks = set(_tasks(new)), set(_tasks(old))
    reasons: list[str] = []
    asked, everything = new_tasks - old_tasks, False
    for name in new:
        what, _, task = name.partition(_OF_TASK)
        if name in (READ_LIMITS, _PDF_READER) or old.get(name) == new[name] or (task and task not in old_tasks):
            continue
        everything = everything or not (task or name in (READERS, _ROWS, _EVIDENCE))
        if what in _ASKED:
            asked.add(task)
        if what != "answer form" or not any(reason.endswith(f"{_OF_TASK}{task} changed") for reason in reasons):
            reasons.append(
                f"{_say(name, old, new)} changed"
            )  # the form follows from the schema, which stands before it
    reasons += [f"task {task} is new" for task in sorted(new_tasks - old_tasks)]
    reasons += [f"task {task} is gone" for task in sorted(old_tasks - new_tasks)]
    return Change(tuple(reasons), None if everything else frozenset(asked))


def _say(name: str, old: Components, new: Components) -> str:
    """What a person calls it: the readers' version is another when the job chooses the other PDF reader."""
    return _PDF_READER if name == READERS and old.get(_PDF_READER) != new.get(_PDF_READER) else name


def _tasks(components: Components) -> Iterator[str]:
    return (name.partition(_OF_TASK)[2] for name in components if name.startswith(f"instructions{_OF_TASK}"))


def _hash(fact: object) -> str:
    text = json.dumps(fact, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
