"""Encodings: each is found by its evidence, noted, and leaves clean text."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RejectCode
from pipeline.readers.document import UnreadableError
from pipeline.readers.encoding import clean_text, decode_text

WESTERN = "Déjà vu: l'été à Montpellier.\nNaïve “garçon”….\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False])
def test_unicode_with_and_without_a_mark(encoding: str, marked: bool) -> None:
    decoded = decode_text((("\ufeff" if marked else "") + WESTERN).encode(encoding))
    assert decoded.text == WESTERN
    assert decoded.notes == (("encoding", encoding),)


@pytest.mark.parametrize(
    ("text", "encoding", "noted"),
    [
        (WESTERN, "cp1252", "cp1252"),
        ("It\u2019s", "cp1252", "cp1252"),
        ("宇宙守护神  保护我们远离邪恶\n他能徒手抓住子弹  拦住疾速的火车", "gb2312", "gb18030"),
        ("こんにちは。今日は会議を始めます。よろしくお願いします。", "shift_jis", "cp932"),
        ("안녕하세요. 오늘 회의를 시작하겠습니다.", "euc_kr", "cp949"),
        ("Привет, как дела? Сегодня мы обсудим план работы.", "cp1251", "cp1251"),
        ("Привет, как дела? Сегодня мы обсудим план работы.", "koi8_r", "koi8_r"),
    ],
)
def test_legacy_encodings(text: str, encoding: str, noted: str) -> None:
    decoded = decode_text(text.encode(encoding))
    assert decoded.text == text
    assert decoded.notes == (("encoding", noted),)


def test_one_foreign_name_in_english_is_not_chinese() -> None:
    assert decode_text(("A long talk in English. " * 50 + "Señor Núñez").encode("cp1252")).notes == (
        ("encoding", "cp1252"),
    )


def test_a_file_cut_within_a_character_stays_utf8() -> None:
    decoded = decode_text("été".encode()[:-1])
    assert decoded.text == "ét\ufffd"
    assert dict(decoded.notes) == {"encoding": "utf-8", "encoding_errors": "1"}


def test_one_bad_byte_does_not_turn_utf8_into_mojibake() -> None:
    decoded = decode_text("éàüöß".encode() * 4 + b"\xff" + b" end")
    assert decoded.text == "éàüöß" * 4 + "\ufffd end"
    assert dict(decoded.notes)["encoding_errors"] == "1"


def test_replacement_characters_of_the_file_itself_are_no_errors() -> None:
    assert decode_text("was lost: \ufffd".encode()).notes == (("encoding", "utf-8"),)


def test_control_characters_go_and_are_counted() -> None:
    decoded = decode_text(b"a\x00b\x08c\x1b[0m\td\r\ne\rf\x0cg\r\r\nh\x7f")
    assert decoded.text == "abc[0m\td\ne\nf\ng\nh"
    assert dict(decoded.notes)["control_characters_removed"] == "4"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04" + b"x" * 50, RejectCode.WRONG_CONTENT),
        (b"{\\rtf1 hello}", RejectCode.WRONG_CONTENT),
        (b"\x89PNG\r\n\x1a\n", RejectCode.WRONG_CONTENT),
        (bytes(range(256)) * 20, RejectCode.BAD_ENCODING),
        (b"\x00\x01\x02\x03" * 500, RejectCode.BAD_ENCODING),
        (codecs.BOM_UTF16_LE + b"\x00\xd8" * 100, RejectCode.BAD_ENCODING),
    ],
)
def test_what_is_not_text_is_refused(data: bytes, code: RejectCode) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode_text(data)
    assert caught.value.code is code


@given(st.text())
def test_clean_text_is_valid_utf8_and_stays_clean(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert clean_text(cleaned) == cleaned
    assert "\r" not in cleaned


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_utf8_comes_back_exactly(text: str) -> None:
    try:
        assert decode_text(text.encode()).text == text.removeprefix("\ufeff")
    except UnreadableError as error:
        assert error.code is RejectCode.WRONG_CONTENT  # text that begins like "%PDF-" or "GIF8"
