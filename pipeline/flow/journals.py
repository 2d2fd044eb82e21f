"""What one run appends to the journal: documents as they were read, answers as they came back."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pipeline.job.sections import JournalSection
from pipeline.readers.document import Document
from pipeline.tables.journal import Journal, clean, drop, list_parts
from pipeline.tables.layout import JOURNAL_ANSWERS, JOURNAL_DOCUMENTS
from pipeline.tables.lines import PaidAnswer, answer_line, read_document_line
from pipeline.tables.locks import WHOLE, Lane
from pipeline.tables.output import OutputFolder

JOURNAL = "journal"
DOCUMENTS = "documents"
ANSWERS = "answers"
_MOST_DOCUMENTS = 1000


def journal_parts(output: Path, name: str) -> list[Path]:
    """The parts of "documents" or "answers" in an output folder."""
    return list_parts(output / JOURNAL / name)


def clean_journals(output: Path, lane: Lane) -> None:
    """Remove what killed runs were writing at that moment."""
    for name in (DOCUMENTS, ANSWERS):
        clean(output / JOURNAL / name, None if lane == WHOLE else lane.name)


def drop_journals(output: Path, lane: Lane) -> None:
    """Remove what a lane's runs have kept: a run that left nothing open has it all in its tables."""
    for name in (DOCUMENTS, ANSWERS):
        drop(output / JOURNAL / name, None if lane == WHOLE else lane.name)


class Journals:
    """Both journals, each opened when the first line comes."""

    def __init__(self, output: OutputFolder, settings: JournalSection) -> None:
        self._output, self._settings = output, settings
        self._opened: list[Journal] = []

    @property
    def n_answers(self) -> int:
        """Answers that were appended in this run."""
        return self._answers.n_lines if "_answers" in self.__dict__ else 0

    def add_document(self, document: Document, reading: str) -> None:
        """Keep what was read, so that it is read once; `reading` is the readers' version."""
        self._documents.append(read_document_line(document, reading), size_bytes=len(document.text))

    def add_answer(self, paid: PaidAnswer) -> None:
        """Keep what was paid for."""
        self._answers.append(answer_line(paid), size_bytes=len(paid.generation.text))

    def tick(self) -> None:
        """Write what was held too long."""
        for journal in self._opened:
            journal.tick()

    def flush(self) -> None:
        """Write what is held."""
        for journal in self._opened:
            journal.flush()

    @cached_property
    def _answers(self) -> Journal:
        return self._open(ANSWERS, self._settings.max_answers)

    @cached_property
    def _documents(self) -> Journal:
        return self._open(DOCUMENTS, _MOST_DOCUMENTS)

    def _open(self, name: str, max_lines: int) -> Journal:
        schema = JOURNAL_ANSWERS if name == ANSWERS else JOURNAL_DOCUMENTS
        run = f"{self._output.lane.name}.{self._output.run_id}"
        folder = self._output.folder / JOURNAL
        self._opened.append(Journal(folder, name, schema, run, max_lines, self._settings.max_seconds))
        return self._opened[-1]
