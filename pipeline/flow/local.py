"""One run on this machine, as a story: read and cut ahead, keep the engine full, settle each answer, close the books.

    sources -> readers -> chunks      (intake, ahead in a thread and in child processes)
    prompts -> engine -> generations  (as many in flight as the engine can run)
    validate -> merge -> tables       (as generations come back; a document is written when its last answer is in)

One thread drives engine, ledger and tables, so none of them needs a lock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline.answers.merge import merge_records
from pipeline.answers.record import Record
from pipeline.answers.validate import validate
from pipeline.engines.engine import Engine, Generation
from pipeline.engines.settings import answer_fingerprint, prompt_key
from pipeline.errors import ConservationError, Reject, RejectCode
from pipeline.flow.background import Background
from pipeline.flow.intake import ReadyDocument, iter_ready
from pipeline.flow.plan import Plan
from pipeline.flow.watcher import Watcher
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.reports.ledger import Ledger
from pipeline.reports.run_report import RunFacts, build_report, close_books
from pipeline.tables.layout import document_line, record_line, reject_line, response_line
from pipeline.tables.output import RunOutput, open_output
from pipeline.tables.staged import writing

_READ_AHEAD_DOCUMENTS = 8
_COLLECT_S = 0.05
_WAIT_FOR_INTAKE_S = 0.1


@dataclass(slots=True)
class OpenDocument:
    """A document while its answers come in.

    Attributes:
        ready: The document and its chunks.
        n_outstanding: Answers still to come.
        records: Valid answers so far, by task.
    """

    ready: ReadyDocument
    n_outstanding: int
    records: dict[str, list[Record]]


@dataclass(frozen=True, slots=True)
class InFlight:
    """A prompt that the engine has, and where its answer belongs."""

    prompt: Prompt
    chunk: Chunk
    document: OpenDocument


def run_job(plan: Plan, run_id: str, watcher: Watcher) -> tuple[dict[str, object], Path]:
    """Run a planned job to its commit.

    Args:
        plan: What to do, with everything loaded that can be wrong.
        run_id: Name of the run, unique in the output folder.
        watcher: Told how it goes.

    Returns:
        The run report, and where it lies.

    Raises:
        PipelineError: The run stopped; nothing of it is committed.
    """
    started_at = datetime.now(UTC)
    with ExitStack() as held:
        output = held.enter_context(open_output(plan.job.output_folder, run_id, plan.tables))
        for sentence in output.recovered:
            watcher.say(sentence)
        engine = held.enter_context(closing(plan.open_engine(_log_path(output))))
        ready = partial(iter_ready, plan.entries, plan.read_limits, plan.maker)
        intake = held.enter_context(Background(ready, _READ_AHEAD_DOCUMENTS))
        run = LocalRun(plan, engine, intake, output, watcher)
        run.go()
        output.close()
        sums = close_books(run.ledger, {name: table.count_written() for name, table in output.tables.items()})
        facts = RunFacts(
            run_id=run_id,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            seconds=run.seconds,
            engine=engine.describe(),
            tokenizer=plan.tokenizer.name,
            context_window=plan.context_window,
            chunk_budget=plan.maker.budget_tokens,
        )
        report = build_report(plan.job, facts, run.ledger, sums)
        return report, output.commit(report)


def _log_path(output: RunOutput) -> Path:
    """Where the engine's chatter of this run goes."""
    folder = output.folder / "logs"
    with writing(folder):
        folder.mkdir(exist_ok=True)
    return folder / f"engine-{output.run_id}.log"


class LocalRun:
    """The moving parts of one run.

    Attributes:
        ledger: The books.
        seconds: Wall-clock seconds by phase.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        intake: Background[ReadyDocument | Reject],
        output: RunOutput,
        watcher: Watcher,
    ) -> None:
        self.ledger = Ledger(n_tasks=len(plan.contracts))
        self.seconds: dict[str, float] = {}
        self._fingerprint = answer_fingerprint(plan.engine_settings(Path()), plan.job.engine.kind)
        self._plan, self._engine, self._intake, self._output, self._watcher = plan, engine, intake, output, watcher
        self._waiting: deque[Iterator[InFlight]] = deque()
        self._in_flight: dict[str, InFlight] = {}

    def go(self) -> None:
        """From the first source to the last row."""
        start_s = time.monotonic()
        self._read_until_ready()
        first_ready_s = time.monotonic()
        if self._waiting:
            self._watcher.say(f"Loading the model {self._plan.model.name} ...")
            self._engine.start()
        engine_ready_s = time.monotonic()
        self._answer_all()
        self.seconds = {
            "first_document": first_ready_s - start_s,
            "engine_start": engine_ready_s - first_ready_s,
            "generating": time.monotonic() - engine_ready_s,
        }

    def _read_until_ready(self) -> None:
        """Take in until there is something to ask: a run whose sources are all rejects loads no model."""
        while not self._waiting and not self._intake.exhausted:
            self._take_in(_WAIT_FOR_INTAKE_S)
            self._tell()

    def _answer_all(self) -> None:
        while self._in_flight or self._waiting or not self._intake.exhausted:
            self._fill_engine()
            if self._in_flight:
                for generation in self._engine.collect(_COLLECT_S):
                    self._settle(generation)
            else:
                self._take_in(_WAIT_FOR_INTAKE_S)
            self._tell()

    def _fill_engine(self) -> None:
        """Submit until the engine has all it can run, or nothing is ready."""
        while len(self._in_flight) < self._engine.window:
            if not self._waiting:
                self._take_in(timeout_s=0.0)
                if not self._waiting:
                    return
            asked = next(self._waiting[0], None)
            if asked is None:
                self._waiting.popleft()
                continue
            self._in_flight[asked.prompt.prompt_id] = asked
            self._engine.submit(asked.prompt)
            self.ledger.n_prompts += 1

    def _take_in(self, timeout_s: float) -> None:
        """One item from the intake, if one comes in time."""
        taken = self._intake.poll(timeout_s)
        if taken is None:
            return
        self.ledger.n_sources += 1
        if isinstance(taken, Reject):
            self._reject(taken)
            return
        line = document_line(taken.source, taken.document, taken.n_tokens, len(taken.chunks))
        self._output.documents.append(line, size_bytes=len(taken.document.text))
        self.ledger.add_document(taken.document, taken.chunks, taken.n_tokens)
        contracts = self._plan.contracts
        document = OpenDocument(taken, len(taken.chunks) * len(contracts), {task: [] for task in contracts})
        if document.n_outstanding:
            self._waiting.append(self._iter_asked(document))
        else:
            self._finish(document)

    def _iter_asked(self, document: OpenDocument) -> Iterator[InFlight]:
        """Chunk by chunk, the tasks of a chunk next to each other: the engine computes their shared part once."""
        for chunk in document.ready.chunks:
            for prompt in self._plan.maker.prompts(chunk):
                yield InFlight(prompt, chunk, document)

    def _settle(self, generation: Generation) -> None:
        """Give one generation its recorded state: a record, or a reject."""
        asked = self._in_flight.pop(generation.prompt_id, None)
        if asked is None:
            raise ConservationError(f"The engine answered {generation.prompt_id!r}, which was not asked, or twice.")
        prompt, document = asked.prompt, asked.document
        self.ledger.add_generation(generation, prompt, asked.chunk)
        answer = validate(generation, prompt, self._plan.contracts[prompt.task])
        source = document.ready.source
        if isinstance(answer, Record):
            self.ledger.n_records += 1
            document.records[prompt.task].append(answer)
            status = "record"
        else:
            self._reject(Reject(answer.code, answer.detail, source.uri, source.doc_id, prompt.chunk_index, prompt.task))
            status = answer.code.value
        key = prompt_key(prompt, self._fingerprint)
        line = response_line(prompt, asked.chunk, source.doc_key, key, generation, status)
        self._output.responses.append(line, size_bytes=len(generation.text))
        document.n_outstanding -= 1
        if document.n_outstanding == 0:
            self._finish(document)

    def _finish(self, document: OpenDocument) -> None:
        """All answers of a document are in: one row a task, or the reject that says why there is none."""
        source, chunks = document.ready.source, document.ready.chunks
        for task, records in document.records.items():
            if not records:
                detail = f"None of the {len(chunks)} chunks gave a valid answer to task {task!r}."
                self._reject(Reject(RejectCode.NO_ANSWER, detail, source.uri, source.doc_id, task=task))
                continue
            lineage = {"_n_chunks": len(chunks), "_n_chunks_answered": len(records)}
            values = merge_records(records, self._plan.contracts[task])
            self._output.records[task].append(record_line(values, source, lineage))
            self.ledger.n_rows[task] += 1

    def _reject(self, reject: Reject) -> None:
        self.ledger.add_reject(reject)
        self._output.rejects.append(reject_line(reject))

    def _tell(self) -> None:
        self._watcher.update(self.ledger, len(self._plan.entries))
