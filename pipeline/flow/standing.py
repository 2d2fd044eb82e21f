"""How each source of the job stands against what the output folder already holds: unchanged, or why it is taken up.

The words that `sources/` uses for why: new, changed (its bytes), relisted (its uri, password or carried columns), stale
(the job), retried (asked for).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import Reject, RejectCode
from pipeline.flow.components import READ_LIMITS, READERS, Components, compare, fingerprint
from pipeline.flow.options import RetryRejects
from pipeline.sources import Entry, Source
from pipeline.tables.lines import Outcome
from pipeline.tables.state import Settled, State

_LOST_BY_LIMITS = {RejectCode.READ_TIMEOUT, RejectCode.READ_MEMORY}


@dataclass(frozen=True, slots=True)
class Standing:
    """What an output folder holds, as seen by one job.

    Attributes:
        state: The folder's settled sources.
        components: What determines the rows now.
        retry: What to take up again; None: nothing.
        retried: Documents of which an answer was lost that `retry` names.
        only_rows: Take up nothing but documents whose job changed; whatever else is different stays as it is.
    """

    state: State
    components: Components
    retry: RetryRejects | None
    retried: frozenset[str]
    only_rows: bool = False
    _now: str = field(init=False, repr=False)
    _components: dict[str, Components] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """The job's fingerprint is compared with every source's."""
        object.__setattr__(self, "_now", fingerprint(self.components))

    def why(self, entry: Entry, occurrence: int, loaded: Source | Reject) -> tuple[str | None, Settled | None]:
        """Why a source is taken up; None when it is unchanged. And how it was settled before, if it was.

        Args:
            entry: As the job lists it.
            occurrence: How many entries before had the same doc_id.
            loaded: What became of it when it was hashed.
        """
        why, settled = self._why(entry, occurrence, loaded)
        if self.only_rows and (settled is None or settled.outcome != Outcome.DOCUMENT or why != "stale"):
            return None, settled
        return why, settled

    def _why(self, entry: Entry, occurrence: int, loaded: Source | Reject) -> tuple[str | None, Settled | None]:
        settled = self.state.find(entry.doc_id, occurrence)
        if settled is None or settled.outcome == Outcome.REMOVED:
            return "new", None
        if isinstance(loaded, Reject):
            return self._why_lost_again(entry, settled, loaded), settled
        if settled.doc_key != loaded.doc_key:
            return "changed", settled
        if settled.entry_hash != entry_hash(entry):
            return "relisted", settled
        return self._why_again(entry, settled), settled

    def _why_lost_again(self, entry: Entry, settled: Settled, loaded: Reject) -> str | None:
        """A source of which no bytes could be hashed: was it so before, under the same entry?"""
        if settled.doc_key is not None or settled.code != loaded.code:
            return "changed"
        return None if settled.entry_hash == entry_hash(entry) else "relisted"

    def _why_again(self, entry: Entry, settled: Settled) -> str | None:
        """The same file under the same entry: is it the job that changed, or is it to be retried?"""
        if settled.outcome == Outcome.DOCUMENT:
            if settled.fingerprint != self._now:
                return "stale"
            return "retried" if entry.doc_id in self.retried else None
        before = self._components_of(settled)
        if before.get(READERS) != self.components[READERS]:
            return "stale"
        if settled.code in _LOST_BY_LIMITS and before.get(READ_LIMITS) != self.components[READ_LIMITS]:
            return "stale"
        return "retried" if self.retry and self.retry.takes(settled.code or "") else None

    def _components_of(self, settled: Settled) -> Components:
        """Those of the run that settled it; its report is read once, however many sources it settled."""
        if settled.run_id not in self._components:
            self._components[settled.run_id] = self.state.report(settled.run_id).get("components", {})
        return self._components[settled.run_id]

    def explain(self, n_tasks: int) -> Iterator[str]:
        """One sentence for each earlier version of the job whose rows are stale: what changed, and what it costs."""
        n_documents: Counter[str] = Counter()
        n_chunks: Counter[str] = Counter()
        runs: dict[str, Settled] = {}
        if self.state.fingerprints() in ([], [self._now]):
            return
        for settled in self.state.iter_present():
            if settled.outcome == Outcome.DOCUMENT and settled.fingerprint != self._now:
                n_documents[settled.fingerprint] += 1
                n_chunks[settled.fingerprint] += settled.n_chunks
                runs[settled.fingerprint] = settled
        for old, settled in runs.items():
            change = compare(self._components_of(settled), self.components)
            n_answers = change.n_answers(n_chunks[old], n_tasks)
            cost = f"{n_answers:,} answers to redo" if n_answers else "no answer to redo, rows are made again"
            reasons = ", ".join(change.reasons) or "the job changed"
            yield f"{reasons[0].upper()}{reasons[1:]}: {n_documents[old]:,} documents are stale, {cost}."

    def removed(self, entries: Sequence[Entry]) -> list[Settled]:
        """Sources that were settled before and that the job no longer lists."""
        listed = Counter(entry.doc_id for entry in entries)
        is_all_listed = listed.keys() >= set(self.state.doc_ids())
        present = self.state.iter_duplicates() if is_all_listed else self.state.iter_present()
        return [settled for settled in present if settled.occurrence >= listed[settled.doc_id]]


def entry_hash(entry: Entry) -> str:
    """Hash of what the job's input says of a source besides its doc_id, 16 hex digits."""
    columns: Mapping[str, str] = dict(entry.columns)
    return hashlib.sha256(json.dumps([entry.uri, entry.password, columns]).encode()).hexdigest()[:16]
