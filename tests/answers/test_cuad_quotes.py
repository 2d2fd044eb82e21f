"""The labels of real contracts as quotes: each is on the page that the labelled text says, found in another way.

The labels have offsets in a text file of each contract that has no pages; our text comes from its PDF. Runs of four
words that stand once in both tie the two together, in order, and so tell on which page an offset lies.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from planting import finder_of, letters

from pipeline.answers.agreement import Agreement, agree
from pipeline.answers.quotes import Grade
from pipeline.readers.document import Document
from pipeline.readers.read import read_source
from pipeline.schema.columns import Column, Kind
from pipeline.sources import Entry, Source, load_source

WORD = re.compile(r"\w+")
N_WORDS = 4
Words = list[tuple[int, str]]


@dataclass
class Contract:
    """A contract as read from its PDF, and the words of its labelled text tied to those of the PDF."""

    document: Document
    labelled: Words
    read: Words
    ties: list[tuple[int, int]]
    spans: list[tuple[str, int | None]]
    page_starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.page_starts = [segment.start for segment in self.document.segments]

    def page(self, position: int) -> int:
        return bisect_right(self.page_starts, position)

    def pages_of(self, offset: int) -> set[int]:
        """The page of an offset in the labelled text: by the tie before it, and by the one after it."""
        word = bisect_right(self.labelled, offset, key=lambda one: one[0]) - 1
        after = bisect_right(self.ties, word, key=lambda tie: tie[0])
        near = self.ties[max(0, after - 1) : after + 1]
        places = [min(max(0, ours + word - theirs), len(self.read) - 1) for theirs, ours in near]
        return {self.page(self.read[place][0]) for place in places}


def split(text: str) -> Words:
    return [(match.start(), match[0].casefold()) for match in WORD.finditer(text)]


def once(words: Words) -> dict[tuple[str, ...], int]:
    """Where each run of words stands that stands once."""
    runs = [tuple(word for _, word in words[i : i + N_WORDS]) for i in range(len(words) - N_WORDS + 1)]
    counts = Counter(runs)
    return {run: i for i, run in enumerate(runs) if counts[run] == 1}


def tie(ours: Words, theirs: Words) -> list[tuple[int, int]]:
    """The longest list of ties that are in order in both: (word of theirs, word of ours)."""
    there = once(ours)
    pairs = [(i, there[run]) for run, i in once(theirs).items() if run in there]
    ends: list[int] = []
    heads: list[int] = []
    before: list[int] = []
    for i, (_, ours_at) in enumerate(pairs):
        length = bisect_left(ends, ours_at)
        ends[length : length + 1] = [ours_at]
        heads[length : length + 1] = [i]
        before.append(heads[length - 1] if length else -1)
    chosen: list[tuple[int, int]] = []
    i = heads[-1] if heads else -1
    while i >= 0:
        chosen.append(pairs[i])
        i = before[i]
    return chosen[::-1]


@pytest.fixture(scope="module")
def contracts(corpus: Path) -> list[Contract]:
    """All of them; read by pdfium, in some five seconds."""
    folder = corpus / "cuad"
    found = []
    for line in (folder / "gold.jsonl").read_text(encoding="utf-8").splitlines():
        gold = json.loads(line)
        source = load_source(Entry(gold["pdf"], str(folder / gold["pdf"]), gold["pdf"]), set())
        assert isinstance(source, Source)
        document = read_source(source, "pypdfium2")
        assert isinstance(document, Document)
        theirs = split((folder / gold["txt"]).read_bytes().decode())
        ours = split(document.text)
        spans = [(span["text"], span["start"]) for clause in gold["clauses"].values() for span in clause["spans"]]
        found.append(Contract(document, theirs, ours, tie(ours, theirs), spans))
    return found


@pytest.mark.corpus
def test_gold_answers_are_located_on_the_right_page(contracts: list[Contract]) -> None:
    counts: Counter[str] = Counter()
    for contract in contracts:
        find, text = finder_of(contract.document), letters(contract.document.text)
        for quote, offset in contract.spans:
            n_places = text.count(letters(quote))
            located = find(quote)
            if not n_places or offset is None:
                counts["found, no offset" if located.grade is not Grade.MISSING else "missing, no offset"] += 1
                continue
            is_right = located.grade is not Grade.MISSING and contract.page(located.start) in contract.pages_of(offset)
            counts[f"{'once' if n_places == 1 else 'several'}, {'right' if is_right else 'wrong'}"] += 1
    n_once, n_several = (counts[f"{kind}, right"] + counts[f"{kind}, wrong"] for kind in ("once", "several"))
    assert n_once > 600
    assert n_several > 200
    assert counts["once, right"] >= 0.99 * n_once, counts
    assert counts["once, right"] + counts["several, right"] >= 0.99 * (n_once + n_several), counts


@pytest.mark.corpus
def test_the_ties_tell_pages(contracts: list[Contract]) -> None:
    """The other way of finding is right itself: ties are dense, and where a label begins both neighbours agree."""
    for contract in contracts:
        assert len(contract.ties) > 0.15 * len(contract.labelled)
    told = [contract.pages_of(offset) for contract in contracts for _, offset in contract.spans if offset is not None]
    assert sum(len(pages) == 1 for pages in told) >= 0.99 * len(told)
    assert len({page for pages in told for page in pages}) > 10


@pytest.mark.corpus
def test_the_dates_of_real_contracts_agree_with_their_words_and_no_other_day_does(corpus: Path) -> None:
    found: Counter[Agreement] = Counter()
    shifted: Counter[Agreement] = Counter()
    for line in (corpus / "cuad" / "gold.jsonl").read_text(encoding="utf-8").splitlines():
        clauses = json.loads(line)["clauses"]
        for clause in (clauses[name] for name in ("Agreement Date", "Effective Date") if name in clauses):
            match = re.fullmatch(r"(\d+)/(\d+)/(\d+)", str(clause["answer"]))
            if match is None:
                continue
            month, day, year = (int(part) for part in match.groups())
            year += 0 if year > 99 else 1900 if year > 30 else 2000
            for span in clause["spans"]:
                column = Column("date", Kind.DATE)
                found[agree(f"{year:04}-{month:02}-{day:02}", span["text"], column)] += 1
                shifted[agree(f"{year:04}-{month:02}-{day % 28 + 1:02}", span["text"], column)] += 1
    assert found[Agreement.AGREES] >= 0.98 * found.total() > 50, found
    assert found[Agreement.DISAGREES] == shifted[Agreement.AGREES] == 0
    assert shifted[Agreement.DISAGREES] >= 0.9 * shifted.total(), shifted
