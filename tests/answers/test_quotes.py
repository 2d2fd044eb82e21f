"""Where quotes stand: hand-made cases with their spans, and what holds for any text."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.normalised import fold, fold_text
from pipeline.answers.quotes import MISSING, Grade, Located, QuoteFinder

LEASE = (
    "LEASE AGREEMENT\n\nThe Tenant shall pay a monthly rent of $5,000.00 to the Landlord, in ad-\nvance, on the “ﬁrst” "
    "day\nof each month. The deposit is well-\nknown: two (2) months’ rent – no more.\n\n12\nAcme Corp — "
    "Confidential\n\nThe Tenant shall not sublet the Premises without consent. Term: 2019-2020, at -5 °C.\n"
)
CASES = [
    ("monthly rent of $5,000.00", Grade.EXACT, "monthly rent of $5,000.00"),
    ("  monthly rent of $5,000.00\n", Grade.EXACT, "monthly rent of $5,000.00"),
    ("Monthly  Rent\nof $5,000.00", Grade.NORMALIZED, "monthly rent of $5,000.00"),
    (
        'in advance, on the "first" day of each month',
        Grade.NORMALIZED,
        "in ad-\nvance, on the “ﬁrst” day\nof each month",
    ),
    ("well-known: two (2) months' rent - no more", Grade.NORMALIZED, "well-\nknown: two (2) months’ rent – no more"),
    ("**LEASE AGREEMENT**", Grade.NORMALIZED, "LEASE AGREEMENT"),
    ("> The Tenant shall `pay`", Grade.NORMALIZED, "The Tenant shall pay"),
    ('"first"', Grade.NORMALIZED, "“ﬁrst”"),
    ("2019–2020", Grade.NORMALIZED, "2019-2020"),
    ("The Tenant shall pay ... rent – no more", Grade.PARTS, LEASE[17 : LEASE.index(".\n\n12")]),
    (
        "two (2) months' rent - no more. The Tenant shall not sublet",
        Grade.PARTS,
        LEASE[LEASE.index("two (2)") : LEASE.index(" the Premises")],
    ),
    ("The Tenent shall not sublett the Premises", Grade.FUZZY, "The Tenant shall not sublet the Premises"),
]


@pytest.mark.parametrize(("quote", "grade", "found"), CASES)
def test_a_quote_stands_where_it_stands(quote: str, grade: Grade, found: str) -> None:
    located = QuoteFinder(LEASE).find(quote)
    assert located.grade is grade
    assert LEASE[located.start : located.end] == found
    assert (located.score == 1.0) == (grade is not Grade.FUZZY)


@pytest.mark.parametrize(
    "quote",
    [
        "",
        " \n ",
        "***",
        "ent",  # inside words
        "monthly rent of $6,000.00",  # another number
        "2019-2021",
        "20192020",
        "The Landlord shall repair the roof",
        "shall pay a monthly re nt of nothing to nobody at all",
        "rent monthly a pay shall Tenant The",
        "x" * 100_000,
        "\ud800",
    ],
)
def test_what_is_not_there_is_missing(quote: str) -> None:
    assert QuoteFinder(LEASE).find(quote) == MISSING


def test_of_several_places_the_first_is_told_and_all_are_counted() -> None:
    located = QuoteFinder("rent, parent rent. Rent").find("rent")
    assert located == Located(Grade.EXACT, 1.0, 0, 4, 3)  # Rent, too
    assert QuoteFinder("no no no").find("no no").n_places == 2


def test_a_score_of_one_allows_nothing_fuzzy() -> None:
    assert QuoteFinder(LEASE, min_score=1).find("The Tenent shall not sublet the Premises") == MISSING


@pytest.mark.parametrize(
    ("text", "quote", "found"),
    [
        ("甲方应于每月五日前\n支付租金人民币五千元整。", "每月五日前支付租金", "每月五日前\n支付租金"),
        ("甲方应于每月五日前支付租金人民币５０００元。", "租金人民币5000元", "租金人民币５０００元"),
        ("किराया ₹ ५,००० प्रति माह है।", "किराया ₹ 5,000 प्रति माह", "किराया ₹ ५,००० प्रति माह"),
        ("يدفع المستأجر مبلغ ٥٠٠٠ ريال شهريًا.", "المستأجر مبلغ 5000 ريال", "المستأجر مبلغ ٥٠٠٠ ريال"),
        ("يدفع المستــأجر الإيجار", "المستأجر الإيجار", "المستــأجر الإيجار"),
        (
            "Die Miete beträgt 5.000 € (Straße)",
            "DIE MIETE BETRÄGT 5.000 € (STRASSE)",
            "Die Miete beträgt 5.000 € (Straße)",
        ),
        ("Le loyer est payé à l’avance", unicodedata.normalize("NFD", "payé à l'avance"), "payé à l’avance"),
        ("ＡＢＣ 株式会社", "ABC株式会社", "ＡＢＣ 株式会社"),
    ],
)
def test_other_scripts(text: str, quote: str, found: str) -> None:
    located = QuoteFinder(text).find(quote)
    assert located.grade is Grade.NORMALIZED
    assert text[located.start : located.end] == found


any_text = st.text(st.characters(), max_size=300)
wordy = st.lists(st.text("abcé文ि-'\" \n.12ﬁ", min_size=1, max_size=12), max_size=60).map(" ".join)


@given(any_text | wordy, any_text | wordy)
@settings(max_examples=500, deadline=None)
def test_a_find_is_a_span_of_the_text_whatever_both_hold(text: str, quote: str) -> None:
    located = QuoteFinder(text).find(quote)
    assert 0 <= located.start <= located.end <= len(text)
    assert (located.start < located.end) == (located.grade is not Grade.MISSING)
    assert (located.n_places > 0) == (located.grade is not Grade.MISSING)
    if located.grade in (Grade.EXACT, Grade.NORMALIZED):
        assert fold_text(text[located.start : located.end].strip()) == fold_text(quote.strip()) or "-" in text


@given(wordy, st.data())
@settings(max_examples=300, deadline=None)
def test_what_is_there_to_the_letter_is_found_to_the_letter(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    quote = text[start : data.draw(st.integers(start, min(len(text), start + 60)))].strip()
    located = QuoteFinder(text).find(quote)
    if len(fold_text(quote)) >= 12:
        assert located.grade is Grade.EXACT
    if located.grade is Grade.EXACT:
        assert text[located.start : located.end] == quote
        assert located.start <= text.index(quote) or located.start > text.index(quote)


@given(any_text)
@settings(max_examples=300, deadline=None)
def test_every_folded_character_knows_its_origin(text: str) -> None:
    folded = fold(text)
    origins = folded.origins.tolist()
    assert len(origins) == len(folded.text)
    assert origins == sorted(origins)
    assert all(0 <= origin < len(text) for origin in origins)
    assert folded.text == fold_text(text)


@pytest.mark.parametrize("text", ["-" * 200_000, "> " * 100_000, "a" * 200_000, "\n>" * 100_000, "-\n" * 100_000])
def test_hostile_texts_take_no_longer_than_others(text: str) -> None:
    finder = QuoteFinder(text)
    for quote in ("a" * 400, "aaab" * 100, "- " * 200, "...".join(["aaaaaaaaaa"] * 40)):
        assert finder.find(quote).end <= len(text)


def test_many_accents_on_one_letter_take_no_longer_than_others() -> None:
    text = "e" + "\u0301\u0316" * 200_000
    began = time.process_time()
    located = QuoteFinder(text).find(text[:300])
    assert (located.start, located.end) == (0, 300)
    assert time.process_time() - began < 5
    assert fold("e" + "\u0301\u0316" * 40).text == "e" + "\u0316" * 40 + "\u0301" * 40


def test_a_short_quote_is_found_behind_many_words_that_have_it() -> None:
    text = "2012 and 120, " * 200 + "12 units"
    assert text[QuoteFinder(text).find("12").start :] == "12 units"
    assert QuoteFinder("An island, " * 200 + "as IS").find("is").start == 2203
