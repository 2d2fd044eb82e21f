import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.reports.html import wording
from pipeline.reports.html.naming import page_name


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_what_is_printed_can_be_utf_8_html(text: str) -> None:
    shown = wording.visible(text)
    assert isinstance(shown, str)
    shown.encode()
    assert not {*shown} & {*map(chr, range(9)), "\x0b", "\r", "\x7f", "\x85", "\ufffe"}


def test_a_control_character_is_seen_and_markup_and_numbers_stay() -> None:
    assert wording.visible("a\x00b\r\nc\rd\x1b\x7f\ud800") == "a\u2400b\nc\nd\u241b\u2421\ufffd"
    assert wording.visible(Markup("<b>\x00</b>")) == Markup("<b>\x00</b>")
    assert wording.visible(3) == 3


def test_a_name_cannot_turn_its_end_around() -> None:
    assert wording.label("invoice\u202efdp.exe\n\u2066x") == "invoice[U+202E]fdp.exe [U+2066]x"


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "-"), (0.0, "0 %"), (1.0, "100 %"), (0.99999, "> 99.9 %"), (0.00001, "< 0.1 %"), (0.125, "12.5 %")],
)
def test_only_a_whole_is_a_hundred_percent(share: float | None, words: str) -> None:
    assert wording.percent(share) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.44, "0.4 s"), (125.0, "2 min 05 s"), (3599.9, "1 h 00 min"), (11520.0, "3 h 12 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [("null", "none"), ("true", "yes"), ('"x"', "x"), ('""', "(empty text)"), ("1.50", "1.50"), ("2.0", "2"),
     ("[]", "(none)"), ('{"a":[1]}', '{"a":[1]}'), ("no JSON", "no JSON"), ("1e999999", "1E+999999"),
     ("[" * 100_000, "[" * 100_000)],
)  # fmt: skip
def test_values_in_words(text: str, words: str) -> None:
    assert wording.json_in_words(text) == words


def test_the_name_of_a_page_is_a_plain_file_name_and_its_own() -> None:
    names = {
        page_name(doc_id, doc_id)
        for doc_id in ("../../etc/passwd", "a/x.pdf", "b/x.pdf", "رسالة", "", "con\x00", "\ud800")
    }
    assert len(names) == 7
    assert all(name.endswith(".html") and not {*name} & {*'/\\:<>"|?*\x00 '} for name in names)
    assert page_name("a/Supply Agreement.pdf", "a/Supply Agreement.pdf").startswith("supply-agreement-pdf-")
    assert max(len(page_name("x" * n, "x" * n)) for n in (1, 5000)) < 70
    json.dumps(sorted(names))
