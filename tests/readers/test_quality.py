import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers import quality
from pipeline.readers.pdf_text import clean_line, clean_text

CHINESE = "关于红军作战的原则。对国防问题的意见。同各方接洽要有谦逊态度。"
GOOD = [
    'The parties agree as follows: 1.1 "Affiliate" means any entity; fees of $1,250.00 (5%).',
    "Voilà l'été: où êtes-vous né, à Besançon ou à Évêché-sur-Mer? Déjà reçu 1 250 €.",
    "Þegar öllu er á botninn hvolft þá á það við um alla að þeir séu jafnir fyrir lögunum.",
    "Xử lý PDF tức thì cho mọi nhu cầu của bạn. Bây giờ với sự hỗ trợ cho các phông chữ.",
    "Žluťoučký kůň úpěl ďábelské ódy. Příliš žluťoučký kůň úpěl ďábelské kódy.",
    CHINESE,
    "すべてのニーズに対応するインスタントPDF処理。",
    "شركة بورس كالاي ايران تحسين الإنتاجية وحل المشكلات",
    "תוצר מקומי גולמי סך הכל 1.9 5.8 4.2",
    "Привет, мир. สวัสดีชาวโลก 모든 요구 사항",
    "∑ x² ≤ ∫ f(t) dt ⇒ β ∈ Ω ☑ ✓ → €",
    "/etc/init.d/networking and /usr/share/doc are paths, see RFC/2119",
    "é",
    "© 2020",
]


@pytest.mark.parametrize("text", GOOD)
def test_real_writing_is_not_garbled(text: str) -> None:
    assert quality.count_undecoded(text) == 0
    assert not quality.is_garbled(text)


@pytest.mark.parametrize(
    "text",
    [
        CHINESE.encode("gbk").decode("latin-1"),
        "Привет, мир, как твои дела".encode("cp1251").decode("latin-1"),
        "(cid:12)(cid:3)(cid:44)(cid:9)",
        "/g28/g29/g3 /G12/G13/G14/G15 the",
        "\ue001\ue002\ue003 \uf0b7\uf0b7",
        "\ufffd\ufffd\ufffd a",
        "\x01\x02\x03\x04\x05 ab",
    ],
)
def test_what_no_person_can_read_is_garbled(text: str) -> None:
    assert quality.is_garbled(text)


def test_the_threshold_is_a_share_of_what_is_visible() -> None:
    n_bad = 30
    at = "\ue000" * n_bad + "a" * 70
    assert quality.count_visible(at) * quality.GARBLED_SHARE == n_bad
    assert quality.is_garbled(at + " " * 1000)
    assert not quality.is_garbled(at + "a")


def test_blank_text_is_not_garbled() -> None:
    assert not quality.is_garbled("")
    assert not quality.is_garbled(" \n\t\u3000")


def test_a_ligature_lost_by_a_font_is_counted() -> None:
    assert quality.count_undecoded("Public Con\x0crmation of con\x0cdential matters") == 2


def test_agreement_ignores_order_and_space() -> None:
    assert quality.agreement("one two", "two\r\n one") == 1.0
    assert quality.agreement("", "  ") == 1.0
    assert quality.agreement("abcd", "") == 0.0
    assert quality.agreement("abcd", "abxy") == 0.5


def test_doubled_text_is_found() -> None:
    assert quality.is_doubled("Preface Preface all praise all praise", "Preface all praise")
    assert not quality.is_doubled("Preface all praise", "Preface all praise")
    assert not quality.is_doubled("Total ......................", "Total .............")
    assert not quality.is_doubled("", "")


def test_words_in_pieces_are_counted() -> None:
    whole = "the judgment was dismissed, rather late; see Section 1.Party"
    assert quality.count_split_words("the judg ment was dism issed, rather late; see Section 1. Party", whole) == 2
    assert quality.count_split_words(whole, whole) == 0
    assert quality.count_split_words("the one and the other", "the one andthe other and the") == 0, "both are words"


def test_presentation_forms_are_counted() -> None:
    assert quality.count_presentation_forms("\ufee3\ufeae\ufea3\ufe92\ufe8e \ufefb") == 6
    assert quality.count_presentation_forms("مرحبا") == 0
    assert quality.count_presentation_forms("\ufeff") == 0, "a byte order mark"


@given(st.text(alphabet=st.characters(codec=None)), st.text())
def test_measures_stay_in_bounds(one: str, other: str) -> None:
    assert 0 <= quality.agreement(one, other) <= 1
    assert quality.agreement(one, other) == quality.agreement(other, one)
    assert quality.agreement(one, one) == 1
    assert quality.count_undecoded(one) >= 0


@given(st.text(alphabet=st.characters(codec=None)))
def test_cleaned_text_is_valid_harmless_and_stays(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert not any(ord(character) < 32 and character not in "\t\n" for character in cleaned)
    assert clean_text(cleaned) == cleaned
    assert "\n" not in clean_line(text)
    assert len(clean_line(text)) <= 1000


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("H\x00e\x00llo", "Hello"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\ud83d\ude00 \ud83d", "😀 \ufffd"),
        ("con\x0crm", "con\ufffdrm"),
        ("a  \n  b\n\n\n", "a\n  b"),
        ("\ufeffx\ue000", "x\ue000"),
    ],
)
def test_cleaning_changes_only_what_is_harmful(found: str, expected: str) -> None:
    assert clean_text(found) == expected
