"""From answers to lines: each attempt gets its recorded state, each whole document its lines in the tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from pipeline.answers.ladder import Ladder
from pipeline.answers.merge import merge_records
from pipeline.answers.record import Record, count_items
from pipeline.answers.validate import validate
from pipeline.errors import Reject, RejectCode
from pipeline.flow.intake import LostSource, ReadyDocument
from pipeline.flow.open_document import Asked, OpenDocument
from pipeline.flow.options import RetryRejects
from pipeline.flow.plan import Plan
from pipeline.prompts.prompt import Prompt
from pipeline.reports.ledger import Ledger, OpenWork
from pipeline.tables.lines import (
    Outcome,
    PaidAnswer,
    SettledSource,
    conflict_line,
    document_line,
    record_line,
    reject_line,
    response_line,
    source_line,
)
from pipeline.tables.output import OutputFolder, RunOutput


class Settlement:
    """The documents of one run that are open, and the tables of those that are whole.

    Attributes:
        ledger: The books.
    """

    def __init__(
        self, plan: Plan, output: OutputFolder, retry: RetryRejects | None, was_paid: Callable[[Prompt], bool]
    ) -> None:
        """Nothing is open yet.

        Args:
            plan: What the run does.
            output: Where its tables go.
            retry: What of the lost is tried again; None: nothing.
            was_paid: Whether the answer to an attempt is there from before.
        """
        self.ledger = Ledger(n_tasks=len(plan.contracts), n_sources=len(plan.entries))
        self._plan, self._output, self._retry, self._was_paid = plan, output, retry, was_paid
        generation, retries = plan.job.generation, plan.job.retries
        self._ladder = Ladder(retries.max_attempts, generation.temperature, retries.temperature, plan.context_window)
        self._open: dict[int, OpenDocument] = {}

    @cached_property
    def tables(self) -> RunOutput:
        """The tables of this run, staged when the first line comes."""
        return self._output.open_tables(self._plan.tables)

    @property
    def has_tables(self) -> bool:
        """Whether anything came for the tables."""
        return "tables" in self.__dict__

    def lose(self, lost: LostSource) -> None:
        """A source gave no document."""
        taken, reject = lost.taken, lost.reject
        self.ledger.add_reject(reject)
        self.tables.rejects.append(reject_line(reject, lost.doc_key), taken.ordinal)
        settled = SettledSource(
            doc_id=taken.entry.doc_id,
            occurrence=taken.occurrence,
            doc_key=lost.doc_key,
            uri=taken.entry.uri,
            entry_hash=taken.entry_hash,
            why=taken.why,
            outcome=Outcome.REJECTED,
            code=reject.code.value,
        )
        self.tables.sources.append(source_line(settled), taken.ordinal)

    def open(self, ready: ReadyDocument) -> OpenDocument:
        """A document is going to be asked about."""
        self.ledger.add_document(ready.document, ready.chunks, ready.n_tokens)
        self.ledger.n_known_documents += ready.was_known
        document = OpenDocument(ready, tuple(self._plan.contracts))
        self._open[ready.taken.ordinal] = document
        if document.is_whole:
            self._finish(document)
        return document

    def begin(self, asked: Asked) -> None:
        """An attempt is made; the first one counts its question."""
        if asked.prompt.attempt == 0:
            self.ledger.n_prompts += 1
            asked.document.n_begun += 1

    def settle(self, asked: Asked, paid: PaidAnswer, *, is_reused: bool) -> Asked | None:
        """Give one attempt its recorded state: a record, a reject, or another attempt after it, which is returned."""
        prompt, document = asked.prompt, asked.document
        contract = self._plan.contracts[prompt.task]
        answer = validate(paid.generation, prompt, contract)
        source = document.ready.source
        status = "record" if isinstance(answer, Record) else answer.code.value
        n_items = count_items(answer.values, contract.columns) if isinstance(answer, Record) else None
        line = response_line(prompt, asked.chunk, document.ready.document, paid, status, n_items)
        document.add_response(prompt, line)
        if isinstance(answer, Record):
            self.ledger.n_records += 1
            document.records[prompt.task].append(answer)
        elif (again := self._climb(asked, answer.code, is_reused=is_reused)) is not None:
            self.ledger.n_tried_again += 1
            return again
        else:
            tried = f" (after {prompt.attempt + 1} attempts)" if prompt.attempt else ""
            detail = f"{answer.detail}{tried}"
            self._reject(
                document, Reject(answer.code, detail, source.uri, source.doc_id, prompt.chunk_index, prompt.task)
            )
        self.ledger.n_pending_tokens -= len(asked.chunk.token_ids)
        document.n_final += 1
        if document.is_whole:
            self._finish(document)
        return None

    def open_work(self, *, was_stopped: bool, n_given_up: int) -> OpenWork:
        """What is left open, counted over the open documents themselves."""
        documents = self._open.values()
        return OpenWork(
            was_stopped=was_stopped,
            n_documents=len(documents),
            n_unasked=sum(document.n_questions - document.n_begun for document in documents),
            n_unanswered=sum(document.n_begun - document.n_final for document in documents),
            n_attempts=sum(len(document.responses) for document in documents),
            n_rejects=sum(len(document.rejects) for document in documents),
            n_given_up=n_given_up,
        )

    def _climb(self, asked: Asked, code: RejectCode, *, is_reused: bool) -> Asked | None:
        """The attempt after a failed one.

        A reused failure that is to be retried does not count as one. What an earlier retry was given beyond the end
        of the ladder is used.
        """
        n_asked = asked.n_before + 1
        following = self._ladder.next_attempt(asked.prompt, code, n_asked)
        if is_reused:
            beyond = self._ladder.climb(asked.prompt, code)
            if self._retry is not None and self._retry.takes_answer(code):
                following, n_asked = beyond, asked.n_before
            elif self._was_paid(beyond):
                following = beyond
        return None if following is None else Asked(following, asked.chunk, asked.document, n_asked)

    def _finish(self, document: OpenDocument) -> None:
        """All answers of a document are in: its lines go to the tables, one row a task or why there is none."""
        ready, tables, ordinal = document.ready, self.tables, document.ready.taken.ordinal
        source, n_chunks = ready.source, len(ready.chunks)
        for task, records in document.records.items():
            if not records:
                detail = f"None of the {n_chunks} chunks gave a valid answer to task {task!r}."
                self._reject(document, Reject(RejectCode.NO_ANSWER, detail, source.uri, source.doc_id, task=task))
                continue
            lineage = {"_n_chunks": n_chunks, "_n_chunks_answered": len(records)}
            merged = merge_records(records, self._plan.contracts[task])
            tables.records[task].append(record_line(merged.values, source, lineage), ordinal)
            for conflict in merged.conflicts:
                chunk = ready.chunks[conflict.chunk_index]
                tables.conflicts.append(conflict_line(conflict, task, chunk, ready.document), ordinal)
            self.ledger.n_rows[task] += 1
        line = document_line(source, ready.document, ready.n_tokens, n_chunks, self._plan.reading)
        tables.documents.append(line, ordinal, size_bytes=len(ready.document.text))
        for response in document.ordered_responses():
            tables.responses.append(response, ordinal, size_bytes=len(str(response["text"])))
        for reject in document.ordered_rejects():
            tables.rejects.append(reject_line(reject, source.doc_key), ordinal)
        tables.sources.append(source_line(document.settled_source()), ordinal)
        self.ledger.n_settled += 1
        del self._open[ordinal]

    def _reject(self, document: OpenDocument, reject: Reject) -> None:
        document.rejects.append(reject)
        self.ledger.add_reject(reject)
