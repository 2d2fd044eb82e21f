"""What was done before: texts and answers of earlier runs and of the journal, found by what determines them.

Both indexes are built when they are first asked, so that a run with nothing new never reads them. Texts are asked by
the intake's thread, answers by the run's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pipeline.flow.journals import ANSWERS, DOCUMENTS, journal_parts
from pipeline.readers.document import Document
from pipeline.sources import Source
from pipeline.tables.lines import PaidAnswer, answer_of, document_of
from pipeline.tables.row_index import RowIndex
from pipeline.tables.state import State


class Recall:
    """Finds texts by doc_key and answers by key."""

    def __init__(self, output: Path, state: State, reading: str) -> None:
        """Look nowhere yet.

        Args:
            output: The output folder.
            state: Says which partitions are committed.
            reading: The readers' version: texts of another are not used.
        """
        self._output, self._state, self._reading = output, state, reading

    def document(self, source: Source) -> Document | None:
        """The document that these bytes gave before."""
        line = self._documents.find(source.doc_key)
        if line is None or line["reading"] != self._reading:
            return None
        return dataclasses.replace(document_of(line), uri=source.uri)

    def answer(self, key: str, prompt_id: str) -> PaidAnswer | None:
        """The answer that was paid for under this key."""
        line = self._answers.find(key)
        return None if line is None else answer_of(line, prompt_id)

    @cached_property
    def _documents(self) -> RowIndex:
        columns = ("doc_id", "doc_key", "uri", "format", "text", "segments", "metadata", "reading")
        return RowIndex(self._files("documents", DOCUMENTS), "doc_key", columns)

    @cached_property
    def _answers(self) -> RowIndex:
        columns = ("key", "text", "finish_reason", "n_prompt_tokens", "n_cached_tokens", "n_output_tokens")
        return RowIndex(self._files("responses", ANSWERS), "key", (*columns, "duration_s", "error", "answered_run_id"))

    def _files(self, table: str, journal: str) -> Sequence[Path]:
        return [*self._state.partitions(table), *journal_parts(self._output, journal)]
