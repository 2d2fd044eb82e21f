"""Pieces tile the text whatever it is, and hold its marked words and no more than the budget."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import JobError
from pipeline.prompts.pieces import MAX_MARK_TOKENS, WINDOW_CHARS, Piece, build_pieces, cut_evenly, split_text
from pipeline.prompts.tokenizer import Tokenizer
from pipeline.readers.document import Document, SegmentKind

MakeDocument = Callable[..., Document]
TEXT = st.text(st.sampled_from("ab .\n\r\t。é🎉\ud800[]"), max_size=200)


def decode(tokenizer: Tokenizer, pieces: Sequence[Piece]) -> str:
    return tokenizer.decode([index for piece in pieces for index in piece.token_ids])


def test_segments_get_their_marks(byte_tokenizer: Tokenizer, make_document: MakeDocument) -> None:
    pages = build_pieces(make_document(["one \n\f", "", " \n ", "two", "three\n\n\n"]), byte_tokenizer, 1000)
    assert decode(byte_tokenizer, pages) == "[page 1]\none\n[page 4]\ntwo\n[page 5]\nthree\n\n"
    assert [len(piece.token_ids) for piece in pages[1:3]] == [0, 0]
    cues = build_pieces(make_document(["hello\n", "you"], SegmentKind.CUE, "Al"), byte_tokenizer, 1000)
    assert decode(byte_tokenizer, cues) == "[00:00:00 Al] hello\n[00:00:01 Al] you\n"
    paragraphs = build_pieces(make_document(["# One\n\n", "two"], SegmentKind.PARAGRAPH), byte_tokenizer, 1000)
    assert decode(byte_tokenizer, paragraphs) == "# One\n\ntwo\n"


def test_a_budget_exactly_met_and_one_below(byte_tokenizer: Tokenizer, make_document: MakeDocument) -> None:
    document = make_document(["x" * 90])
    n_tokens = len("[page 1]\n") + 90 + 1
    [piece] = build_pieces(document, byte_tokenizer, n_tokens)
    assert (len(piece.token_ids), piece.is_whole, list(piece.lead_ids)) == (n_tokens, True, [])
    pieces = build_pieces(document, byte_tokenizer, n_tokens - 1)
    assert len(pieces) == 3, "room for two marks and the newline is set aside"
    assert not any(piece.is_whole for piece in pieces)


def test_a_large_page_is_cut_at_its_paragraphs_and_says_where_it_goes_on(
    byte_tokenizer: Tokenizer, make_document: MakeDocument
) -> None:
    paragraphs = ["a" * 50 + "\n \n", "b" * 50 + "\n\n\n", "c" * 20 + ".\n" + "d" * 60 + "! " + "e" * 60]
    pieces = build_pieces(make_document(["".join(paragraphs)]), byte_tokenizer, 128)
    shown = [byte_tokenizer.decode(piece.token_ids) for piece in pieces]
    assert shown == ["[page 1]\n" + paragraphs[0], paragraphs[1], "c" * 20 + ".\n", "d" * 60 + "! ", "e" * 60 + "\n"]
    leads = [byte_tokenizer.decode(piece.lead_ids) for piece in pieces]
    assert leads == ["", *["[page 1, continued]\n"] * 4]


def test_a_mark_too_long_for_the_budget_is_left_out_of_a_split_segment(
    byte_tokenizer: Tokenizer, make_document: MakeDocument
) -> None:
    document = make_document(["x" * 100], SegmentKind.CUE, "🎉" * 40)
    pieces = build_pieces(document, byte_tokenizer, 40)
    assert decode(byte_tokenizer, pieces) == "x" * 100 + "\n"
    assert not any(piece.lead_ids for piece in pieces)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, max_size=6), st.integers(32, 300), st.sampled_from(SegmentKind))
@example(["x" * 31], 32, SegmentKind.PARAGRAPH)
@example(["\n" * 100 + "x"], 32, SegmentKind.PAGE)
def test_pieces_tile_the_text_within_the_budget(
    byte_tokenizer: Tokenizer, make_document: MakeDocument, texts: list[str], budget: int, kind: SegmentKind
) -> None:
    document = make_document(texts, kind)
    pieces = build_pieces(document, byte_tokenizer, budget)
    reserve = max((len(piece.lead_ids) for piece in pieces), default=0)
    assert reserve <= min(MAX_MARK_TOKENS, budget // 4)
    assert [piece.start for piece in pieces] == [0, *[piece.end for piece in pieces[:-1]]][: len(pieces)]
    assert (pieces[-1].end if pieces else 0) == len(document.text)
    for piece in pieces:
        assert len(piece.token_ids) + reserve <= budget
        segment = document.segments[piece.segment_index]
        assert segment.start <= piece.start <= piece.end <= segment.end
        assert not piece.is_whole or (piece.start, piece.end) == (segment.start, segment.end)
        text = document.text[piece.start : piece.end].rstrip().replace("\ud800", "\ufffd")
        assert text in byte_tokenizer.decode(piece.token_ids)
        assert bool(piece.token_ids) or not text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "漢字かな" * 30_000,
        "🎉" * 60_000,
        "." * 300_000,
        "x\n" * 100_000,
        "x" + " " * 200_000 + "y",
        "ab " * 90_000,
    ],
)
def test_giant_segments_of_any_make_are_cut(real_tokenizer: Tokenizer, make_document: MakeDocument, text: str) -> None:
    pieces = build_pieces(make_document([text]), real_tokenizer, 1000)
    assert max(len(piece.token_ids) for piece in pieces) <= 1000 - MAX_MARK_TOKENS
    assert decode(real_tokenizer, pieces) == f"[page 1]\n{text.rstrip()}\n"
    assert all(left.end == right.start for left, right in pairwise(pieces))


def test_many_tiny_lines_are_not_as_many_pieces(byte_tokenizer: Tokenizer, make_document: MakeDocument) -> None:
    pieces = build_pieces(make_document(["x\n" * 50_000]), byte_tokenizer, 1000)
    assert 100 < len(pieces) < 2500


def test_text_larger_than_a_batch_and_a_window_keeps_its_order(
    byte_tokenizer: Tokenizer, make_document: MakeDocument
) -> None:
    texts = [f"{index} " * (WINDOW_CHARS // 3) for index in range(60)]
    document = make_document([text + "\n" for text in texts], SegmentKind.PARAGRAPH)
    pieces = build_pieces(document, byte_tokenizer, 10**6)
    assert [byte_tokenizer.decode(piece.token_ids) for piece in pieces] == [text.rstrip() + "\n" for text in texts]


def test_a_budget_below_one_character_is_refused(byte_tokenizer: Tokenizer, make_document: MakeDocument) -> None:
    with pytest.raises(JobError, match="'🎉' has 4 tokens, a part may have 3"):
        build_pieces(make_document(["🎉🎉🎉"], SegmentKind.PARAGRAPH), byte_tokenizer, 8 - 2)


def test_split_text_as_its_example_says(byte_tokenizer: Tokenizer) -> None:
    def one_a_word(texts: Sequence[str]) -> list[array[int]]:
        return [array("i", [0]) * len(text.split()) for text in texts]

    parts = split_text("a b c\n\nd e f g\nh i j", 10, one_a_word, 4)
    assert [part for part, _ in parts] == ["a b c\n\n", "d e f g\n", "h i j"]


@given(st.text(st.sampled_from("ab \n"), max_size=80), st.integers(0, 90))
def test_cut_evenly(text: str, n_parts: int) -> None:
    parts = cut_evenly(text, n_parts)
    assert "".join(parts) == text
    assert all(parts)
    assert max(map(len, parts), default=0) <= -(-len(text) // max(n_parts, 1))


def test_cut_evenly_as_its_example_says() -> None:
    assert cut_evenly("one two three four", 2) == ["one two", " three fo", "ur"]
