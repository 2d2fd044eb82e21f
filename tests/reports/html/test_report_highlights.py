from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reports.html.highlights import BLOCK_CHARS, MOST_CITATIONS, Piece, Span, cut_blocks, cut_pieces

TEXT = "The fee is 900 euros a year."


def test_overlapping_spans_become_pieces_side_by_side() -> None:
    spans = [Span(4, 20, 1, "plain"), Span(11, 14, 2, "wrong"), Span(15, 28, 3, "lost")]
    [pieces] = cut_pieces(TEXT, [(0, len(TEXT))], spans)
    assert pieces == [
        Piece("The "),
        Piece("fee is ", (1,), "plain", begins=True),
        Piece("900", (1, 2), "wrong", begins=True),
        Piece(" ", (1,), "plain"),
        Piece("euros", (1, 3), "plain", begins=True),
        Piece(" a year.", (3,), "lost"),
    ]


def test_a_span_that_crosses_blocks_begins_once() -> None:
    blocks = [(0, 8), (10, 20)]
    first, second = cut_pieces(TEXT, blocks, [Span(4, 14, 1, "plain"), Span(8, 12, 2, "plain")])
    assert first == [Piece("The "), Piece("fee ", (1,), "plain", begins=True)]
    assert second == [Piece(" 9", (1, 2), "plain", begins=True), Piece("00", (1,), "plain"), Piece(" euros")]


def test_thousands_of_quotes_of_the_same_words_are_one_piece_with_a_few_numbers() -> None:
    [pieces] = cut_pieces(TEXT, [(0, len(TEXT))], [Span(0, 28, number, "plain") for number in range(5000)])
    assert [len(piece.citations) for piece in pieces] == [MOST_CITATIONS]


@settings(deadline=None)
@given(st.data())
def test_pieces_are_the_text_and_name_who_cites_it(data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=60))
    at = st.integers(0, len(text))
    ends = data.draw(st.lists(st.tuples(at, at).filter(lambda ends: ends[0] < ends[1]) if text else st.nothing()))
    spans = [Span(start, end, number, "plain") for number, (start, end) in enumerate(ends)]
    cut = data.draw(at)
    blocks = [block for block in ((0, cut), (cut, len(text))) if block[0] < block[1]]
    found = [piece for pieces in cut_pieces(text, blocks, spans) for piece in pieces]
    assert "".join(piece.text for piece in found) == text
    position = 0
    for piece in found:
        for letter in range(position, position + len(piece.text)):
            assert piece.citations == tuple(one.citation for one in spans if one.start <= letter < one.end)
        position += len(piece.text)
    for span in spans:
        beginning = next(piece for piece in found if span.citation in piece.citations)
        assert beginning.begins


@settings(deadline=None)
@given(st.text(alphabet="ab \n", max_size=400).map(lambda text: text * 100))
def test_blocks_tile_and_are_short(text: str) -> None:
    blocks = cut_blocks(text, 0, len(text))
    assert "".join(text[start:end] for start, end in blocks) == text
    assert all(0 < end - start <= BLOCK_CHARS for start, end in blocks)


def test_a_block_ends_after_a_line_or_a_word_or_anywhere() -> None:
    line, word, none = ("x" * 5000 + end + "y" * 5000 for end in ("\n", " ", "z"))
    assert [cut_blocks(text, 0, len(text))[0][1] for text in (line, word, none)] == [5001, 5001, BLOCK_CHARS]
