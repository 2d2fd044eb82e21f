"""Prompts: the exact ids of each (chunk, task), the document first and the question last.

    opening | chunk | part note | question | closing

The opening is the same for all tasks, so that the engine computes it and the chunk once for all of them. Chunks may be
as large as the longest of the rest leaves room for. All wording is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.errors import JobError
from pipeline.prompts.chunking import build_chunks
from pipeline.prompts.pieces import build_pieces
from pipeline.prompts.prompt import Chunk, Prompt
from pipeline.prompts.tokenizer import Tokenizer, check_control_free
from pipeline.readers.document import Document

SYSTEM = "You extract facts from documents. Answer with JSON only. Use null for what the document does not say."
LEAD = "Document:\n"
WHOLE_NOTE = "End of the document.\n"
PART_NOTE = ("This was part ", " of ", " of the document.\n")
MIN_BUDGET_TOKENS = 64
MAX_PART_DIGITS = 8
"""Digits of a part number there is room for: a hundred million chunks would not fit any memory."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every chunk.

    Attributes:
        task: The task's name.
        instructions: What to extract, in the job's words.
        decoder_schema: JSON Schema (text) the grammar enforces.
        max_tokens: Most tokens of an answer.
        answer_form: What the answer looks like, in words; see `describe_answer`. Empty: nothing is said.
    """

    task: str
    instructions: str
    decoder_schema: str
    max_tokens: int
    answer_form: str = ""


@dataclass(frozen=True, slots=True)
class TaskFrame:
    """A Question with the ids that end its prompts: question and closing."""

    question: Question
    ending: tuple[int, ...]


class PromptMaker:
    """Turns documents into chunks, and chunks into prompts, for one model and one set of questions.

    Attributes:
        budget_tokens: Most tokens of a chunk.

    Args:
        tokenizer: The model's.
        questions: At least one.
        context_window: Tokens of prompt and answer together.
        max_chunk_tokens: Most tokens of a chunk, if that is less than fits; None: as many as fit. At least 32.
        overlap_segments: See `build_chunks`.

    Raises:
        JobError: The questions and answers leave a chunk less than MIN_BUDGET_TOKENS.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        questions: Sequence[Question],
        context_window: int,
        max_chunk_tokens: int | None = None,
        overlap_segments: int = 0,
    ) -> None:
        self._tokenizer = tokenizer
        self._overlap_segments = overlap_segments
        self._notes = self._encode([WHOLE_NOTE, *PART_NOTE])
        self._digits = self._encode("0123456789")
        frame = tokenizer.build_frame(SYSTEM, LEAD)
        self._opening = list(frame.opening)
        endings = self._encode([_question_text(question) for question in questions])
        self._frames = [
            TaskFrame(question, (*ending, *frame.closing)) for question, ending in zip(questions, endings, strict=True)
        ]
        room = min(self._room(frame, context_window) for frame in self._frames)
        self.budget_tokens = min(room, max_chunk_tokens or room)

    def cut(self, document: Document) -> list[Chunk]:
        """The document's chunks, in order; see `build_chunks`. Its text is tokenized here, once."""
        pieces = build_pieces(document, self._tokenizer, self.budget_tokens)
        return build_chunks(document.doc_id, pieces, self.budget_tokens, self._overlap_segments)

    def prompts(self, chunk: Chunk) -> Iterator[Prompt]:
        """One prompt for each question, in the job's order."""
        shared = self._opening + chunk.token_ids + self._note(chunk.index + 1, chunk.n_chunks)
        for frame in self._frames:
            yield Prompt(
                prompt_id=f"{chunk.doc_id}:{chunk.index}:{frame.question.task}",
                doc_id=chunk.doc_id,
                chunk_index=chunk.index,
                task=frame.question.task,
                token_ids=[*shared, *frame.ending],
                max_tokens=frame.question.max_tokens,
                decoder_schema=frame.question.decoder_schema,
            )

    def _note(self, number: int, n_parts: int) -> list[int]:
        """What follows the chunk. Numbers are spelled digit by digit, so that only their length counts."""
        whole, before, between, after = self._notes
        if n_parts == 1:
            return whole
        return before + self._spell(number) + between + self._spell(n_parts) + after

    def _spell(self, number: int) -> list[int]:
        return [index for digit in str(number) for index in self._digits[int(digit)]]

    def _room(self, frame: TaskFrame, context_window: int) -> int:
        """Tokens that a task leaves for the chunk."""
        number = MAX_PART_DIGITS * max(map(len, self._digits))
        note = max(len(self._notes[0]), sum(map(len, self._notes[1:])) + 2 * number)
        own = len(self._opening) + note + len(frame.ending)
        room = context_window - own - frame.question.max_tokens
        if room < MIN_BUDGET_TOKENS:
            raise JobError(
                f"Task {frame.question.task!r} leaves {room} tokens for the document, at least {MIN_BUDGET_TOKENS} are "
                f"needed: of the context window's {context_window}, instructions and frame take {own}, the answer "
                f"{frame.question.max_tokens}. Lower max_tokens, shorten the instructions, or use a larger window."
            )
        return room

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer.encode_batch(texts)
        check_control_free(encoded, self._tokenizer.control_ids)
        return encoded


def _question_text(question: Question) -> str:
    return f"\n{question.instructions.strip()}\n{question.answer_form}".rstrip()
