"""A document while its answers come in, and the lines it becomes when the last one is there.

Nothing of a document reaches a table before it is whole, so that a run may stop at any time and commit what is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.answers.record import Record
from pipeline.errors import ConservationError, Reject
from pipeline.flow.intake import ReadyDocument
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.tables.layout import Line
from pipeline.tables.lines import Outcome, SettledSource


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt at one question, and where its answer belongs.

    Attributes:
        prompt: What the engine is given.
        chunk: What it is about.
        document: Whose it is.
        n_before: How often the question was asked before, as far as the ladder counts.
    """

    prompt: Prompt
    chunk: Chunk
    document: OpenDocument
    n_before: int = 0


@dataclass(slots=True)
class OpenDocument:
    """A document that is being asked about.

    Attributes:
        ready: The document and its chunks.
        tasks: Names of the questions, in the job's order.
        n_begun: Questions asked so far.
        n_final: Questions that have their final answer.
        records: Valid answers so far, by task.
        responses: Lines of the attempts that came back, by chunk, task and number of the attempt.
        rejects: Questions that gave no record.
    """

    ready: ReadyDocument
    tasks: tuple[str, ...]
    n_begun: int = 0
    n_final: int = 0
    records: dict[str, list[Record]] = field(init=False)
    responses: dict[tuple[int, int, int], Line] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    def __post_init__(self) -> None:
        """No record yet, for any task."""
        self.records = {task: [] for task in self.tasks}

    @property
    def n_questions(self) -> int:
        """Questions in all: each chunk is asked every task."""
        return len(self.ready.chunks) * len(self.tasks)

    @property
    def is_whole(self) -> bool:
        """Whether every question has its final answer."""
        return self.n_final == self.n_questions

    def add_response(self, prompt: Prompt, line: Line) -> None:
        """An attempt came back.

        Raises:
            ConservationError: It came back before.
        """
        place = (prompt.chunk_index, self.tasks.index(prompt.task), prompt.attempt)
        if place in self.responses:
            raise ConservationError(f"Attempt {prompt.attempt} of {prompt.prompt_id!r} was answered twice.")
        self.responses[place] = line

    def ordered_responses(self) -> list[Line]:
        """Attempts by chunk, task and number, whatever order they came in."""
        return [line for _, line in sorted(self.responses.items())]

    def ordered_rejects(self) -> list[Reject]:
        """Lost answers by chunk and task, then lost rows by task."""
        last = len(self.ready.chunks)
        return sorted(
            self.rejects,
            key=lambda reject: (
                last if reject.chunk_index is None else reject.chunk_index,
                self.tasks.index(reject.task or self.tasks[0]),
            ),
        )

    def settled_source(self) -> SettledSource:
        """The line of `sources/` it ends in."""
        taken, source = self.ready.taken, self.ready.source
        return SettledSource(
            doc_id=source.doc_id,
            occurrence=taken.occurrence,
            doc_key=source.doc_key,
            uri=source.uri,
            entry_hash=taken.entry_hash,
            why=taken.why,
            outcome=Outcome.DOCUMENT,
            n_chunks=len(self.ready.chunks),
            n_prompts=self.n_questions,
            n_rejected_answers=sum(reject.chunk_index is not None for reject in self.rejects),
        )
