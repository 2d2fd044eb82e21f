"""Quotes planted at known spans, in six languages, are found at exactly those and graded as they should be."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from disturbing import ABSENT, DISTURBANCES, iter_plants
from planting import Plant, field_of, finder_of, judge
from prose import INVENTED, PAGES, page_of

from pipeline.answers.quotes import Grade, Located
from pipeline.readers.document import Document
from pipeline.readers.read import read_source
from pipeline.sources import Entry, Source, load_source

IN_ALL = {"none", "white space", "quotes and dashes", "Markdown", "Unicode forms", "typos", "words left out",
          "cut at the end", "a mark of the prompt"}  # fmt: skip
ONLY_IN = {"letter case": {"en", "fr", "de"}, "ligatures": {"en", "fr", "de"}, "hyphenation": {"en", "fr", "de"}}
"""Where a disturbance means anything."""
REAL = [
    ("en", "pdf/text__pl__us_constitution.pdf"),
    ("de", "pdf/long__deb__debmake-doc.de.pdf"),
    ("zh", "pdf/long__deb__debmake-doc.zh-cn.pdf"),
    ("ar", "pdf/lang__ca__mednine.pdf"),
    ("en", "transcripts/qmsum/Product/train/IS1002d.json"),
]


def plants_of(document: Document, language: str, n_each: int, seed: int) -> Iterator[Plant]:
    others = [page_of(other).text for other in PAGES if other != language]
    return iter_plants(field_of(document, language, others, INVENTED[language]), n_each, seed)


def wrong(document: Document, plants: list[Plant]) -> list[tuple[str, str, Plant, Located]]:
    find = finder_of(document)
    found = [(plant, find(plant.quote)) for plant in plants]
    return [
        (plant.kind, outcome, plant, located)
        for plant, located in found
        if (outcome := judge(plant, located)) != "right"
    ]


@pytest.mark.parametrize("language", PAGES)
def test_every_plant_in_prose_is_found_where_it_stands_and_nothing_else_is(language: str) -> None:
    page = page_of(language)
    plants = list(plants_of(page, language, 25, seed=3))
    kinds = Counter(plant.kind for plant in plants)
    expected = IN_ALL | {kind for kind, languages in ONLY_IN.items() if language in languages and kind != "ligatures"}
    assert {kind for kind in expected | set(ABSENT) if kinds[kind] < 20} == set()
    assert wrong(page, plants) == []


def test_every_disturbance_is_tried_somewhere() -> None:
    kinds = {plant.kind for language in PAGES for plant in plants_of(page_of(language), language, 3, seed=4)}
    assert kinds | {"ligatures"} == set(DISTURBANCES) | set(ABSENT)


@pytest.mark.corpus
@pytest.mark.parametrize(("language", "name"), REAL)
def test_every_plant_in_a_real_document_is_found_where_it_stands(corpus: Path, language: str, name: str) -> None:
    source = load_source(Entry(name, str(corpus / name), name), set())
    assert isinstance(source, Source)
    document = read_source(source, "pypdfium2")
    assert isinstance(document, Document)
    plants = list(plants_of(document, language, 12, seed=5))
    assert len(plants) >= 100
    assert wrong(document, plants) == []


def test_a_judge_that_is_not_fooled() -> None:
    there = Plant("none", "some words", 5, 15, frozenset({Grade.EXACT}))
    absent = Plant("invented", "some words", 0, 0, frozenset({Grade.MISSING}))
    missing = Located(Grade.MISSING)
    assert judge(there, Located(Grade.EXACT, 1.0, 5, 15, 1)) == "right"
    assert judge(there, Located(Grade.FUZZY, 0.9, 5, 15, 1)) == "grade"
    assert judge(there, Located(Grade.EXACT, 1.0, 5, 16, 1)) == "elsewhere"
    assert judge(there, missing) == "missed"
    assert judge(absent, missing) == "right"
    assert judge(absent, Located(Grade.FUZZY, 0.9, 5, 15, 1)) == "false"


def test_the_same_seed_gives_the_same_plants() -> None:
    page = page_of("en")
    assert list(plants_of(page, "en", 4, seed=6)) == list(plants_of(page, "en", 4, seed=6))
    assert list(plants_of(page, "en", 4, seed=6)) != list(plants_of(page, "en", 4, seed=7))


def test_a_plant_stands_where_it_says_and_nowhere_else() -> None:
    page = page_of("en")
    field = field_of(page, "en", [], INVENTED["en"])
    rng = random.Random(8)
    spans = [span for span in (field.span(rng) for _ in range(50)) if span]
    assert len(spans) > 30
    for start, end in spans:
        assert page.text.count(page.text[start:end]) == 1
        assert page.text[start].isalnum()
        assert page.text[end - 1].isalnum()
