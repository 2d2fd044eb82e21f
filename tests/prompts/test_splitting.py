"""Halves: they tile the chunk, none is over budget, and each is cut where its text is."""

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_pieces import build

from pipeline.prompts.chunking import build_chunks
from pipeline.prompts.prompt import Chunk
from pipeline.prompts.render import PromptMaker, Question
from pipeline.prompts.splitting import split
from pipeline.prompts.tokenizer import Tokenizer
from pipeline.readers.document import Document

MakeDocument = Callable[..., Document]


def leaves(chunk: Chunk) -> list[Chunk]:
    """All that a chunk can be split into, down to the last."""
    halves = split(chunk)
    return [chunk] if halves is None else [leaf for half in halves for leaf in leaves(half)]


def spans(chunks: list[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.first_segment, chunk.last_segment) for chunk in chunks]


def test_the_example_of_the_docstring() -> None:
    [chunk] = build_chunks("d", build([40, 10, 30, 20]), 200)
    halves = split(chunk)
    assert halves is not None
    assert spans(list(halves)) == [(0, 1), (2, 3)]
    assert [half.part for half in halves] == ["0", "1"]
    quarters = split(halves[0])
    assert quarters is not None
    assert spans(list(quarters)) == [(0, 0), (1, 1)]
    assert [part.part for part in leaves(chunk)] == ["00", "01", "10", "11"]


def test_one_piece_or_text_in_one_piece_only_is_not_split() -> None:
    for sizes in ([50], [0, 50, 0, 0], [0, 0]):
        [chunk] = build_chunks("d", build(sizes), 100)
        assert split(chunk) is None
    assert split(Chunk("d", 0, 1, 0, 2, 0, 0, 1, [1, 2, 3])) is None, "a chunk that brings no borders"


def test_pieces_without_text_go_with_those_before_them() -> None:
    [chunk] = build_chunks("d", build([0, 50, 0, 0, 50, 0]), 100)
    halves = split(chunk)
    assert halves is not None
    assert spans(list(halves)) == [(0, 3), (4, 5)]
    assert [list(half.token_ids) for half in halves] == [[1] * 50, [4] * 50]


def test_overlap_stays_with_the_first_half_and_is_never_the_border() -> None:
    second = build_chunks("d", build([30] * 5), 100, overlap_segments=1)[1]
    halves = split(second)
    assert halves is not None
    assert [(half.start, half.new_start, half.end) for half in halves] == [(20, 30, 40), (40, 40, 50)]
    assert [half.n_repeated_tokens for half in halves] == [30, 0]


def test_a_half_that_begins_inside_a_segment_says_so() -> None:
    [chunk] = build_chunks("d", build([30, 30, 30], lead=8, n_split=2), 200)
    halves = split(chunk)
    assert halves is not None
    assert [half.token_ids.count(-1) for half in leaves(chunk)] == [0, 0, 8]
    assert spans(leaves(chunk)) == [(0, 0), (1, 1), (1, 1)]


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=40),
    st.integers(60, 300),
    st.integers(0, 4),
    st.integers(0, 8),
    st.integers(0, 12),
)
@example([1, 40, 40], 60, 0, 8, 2)
def test_halves_tile_the_chunk_within_its_budget(
    sizes: list[int], budget: int, overlap: int, lead: int, n_split: int
) -> None:
    for chunk in build_chunks("d", build(sizes, lead, min(n_split, len(sizes))), budget, overlap):
        found = leaves(chunk)
        assert found == sorted(found, key=lambda leaf: leaf.part)
        assert (found[0].start, found[0].new_start, found[-1].end) == (chunk.start, chunk.new_start, chunk.end)
        assert [leaf.new_start for leaf in found[1:]] == [leaf.end for leaf in found[:-1]]
        shown = [index for leaf in found for index in leaf.token_ids if index >= 0]
        assert shown == [index for index in chunk.token_ids if index >= 0]
        for leaf in found:
            assert len(leaf.token_ids) <= budget
            assert (leaf.index, leaf.n_chunks) == (chunk.index, chunk.n_chunks)
            if len(found) > 1:
                assert any(leaf.new_start <= 10 * index < leaf.end for index in leaf.token_ids)
            assert leaf.first_segment == min(leaf.start // 10, max(len(sizes) - n_split, 0))
            assert leaf.last_segment == min(leaf.end // 10 - 1, max(len(sizes) - n_split, 0))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab .\n漢🎉", max_size=300), min_size=1, max_size=8), st.integers(400, 700))
def test_prompts_of_halves_fit_the_window(
    byte_tokenizer: Tokenizer, make_document: MakeDocument, texts: list[str], window: int
) -> None:
    maker = PromptMaker(byte_tokenizer, [Question("t", "Who?", "{}", 50)], window)
    document = make_document(texts)
    found = [leaf for chunk in maker.cut(document) for leaf in leaves(chunk)]
    assert "".join(document.text[leaf.new_start : leaf.end] for leaf in found) == document.text
    prompts = [maker.prompt(leaf, "t") for leaf in found]
    assert all(len(prompt.token_ids) + prompt.max_tokens <= window for prompt in prompts)
    assert len({prompt.prompt_id for prompt in prompts}) == len(prompts)
