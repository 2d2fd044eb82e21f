"""Chunks: every character once, none over budget, as few as possible, the largest as small as possible."""

import time
from itertools import combinations, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from made_pieces import build

from pipeline.prompts.chunking import build_chunks
from pipeline.prompts.pieces import Piece
from pipeline.prompts.prompt import Chunk


def sizes_of(chunks: list[Chunk]) -> list[int]:
    return [len(chunk.token_ids) for chunk in chunks]


def test_the_examples_of_the_docstring() -> None:
    assert sizes_of(build_chunks("d", build([30] * 5), 100)) == [90, 60]
    assert sizes_of(build_chunks("d", build([1000] * 150), 128_000)) == [75_000, 75_000]
    overlapping = build_chunks("d", build([30] * 5), 100, overlap_segments=1)
    assert sizes_of(overlapping) == [90, 90]
    assert [(chunk.first_segment, chunk.last_segment) for chunk in overlapping] == [(0, 2), (2, 4)]
    assert [chunk.n_repeated_tokens for chunk in overlapping] == [0, 30]
    assert [(chunk.start, chunk.new_start, chunk.end) for chunk in overlapping] == [(0, 0, 30), (20, 30, 50)]


def test_a_budget_exactly_met_and_one_below() -> None:
    assert sizes_of(build_chunks("d", build([40, 60]), 100)) == [100]
    assert sizes_of(build_chunks("d", build([40, 60]), 99)) == [40, 60]


def test_nothing_gives_nothing_and_one_character_gives_one_chunk() -> None:
    assert build_chunks("d", [], 100) == []
    assert build_chunks("d", [Piece(0, 0, 0, [], [], is_whole=True)], 100) == []
    [chunk] = build_chunks("d", [Piece(0, 0, 1, [7], [], is_whole=True)], 100)
    assert (chunk.index, chunk.n_chunks, chunk.start, chunk.new_start, chunk.end) == (0, 1, 0, 0, 1)
    assert list(chunk.token_ids) == [7]


def test_segments_without_text_never_make_a_chunk_of_their_own() -> None:
    chunks = build_chunks("d", build([0, 0, 50, 0, 0, 50, 0, 0]), 50)
    assert [(chunk.first_segment, chunk.last_segment) for chunk in chunks] == [(0, 4), (5, 7)]
    assert sizes_of(build_chunks("d", build([0, 0]), 50)) == [0]


def test_a_chunk_that_starts_inside_a_segment_says_so_within_the_budget() -> None:
    chunks = build_chunks("d", build([10, 30, 30, 30], lead=8, n_split=3), 64)
    assert sizes_of(chunks) == [40, 38, 38], "30 and 30 with a lead of 8 would be 68"
    assert [chunk.token_ids.count(-1) for chunk in chunks] == [0, 8, 8]


def test_overlap_is_reduced_to_make_room_and_never_repeats_a_split_segment() -> None:
    chunks = build_chunks("d", build([30, 30, 30, 90, 30]), 100, overlap_segments=3)
    assert [chunk.n_repeated_tokens for chunk in chunks] == [0, 0, 0]
    assert max(sizes_of(chunks)) <= 100
    chunks = build_chunks("d", build([20] * 8), 100, overlap_segments=9)
    assert {chunk.n_repeated_tokens for chunk in chunks[1:]} == {40}
    chunks = build_chunks("d", build([50, 50, 50, 50], n_split=4), 100, overlap_segments=1)
    assert [chunk.n_repeated_tokens for chunk in chunks] == [0, 0]


def smallest_largest(sizes: list[int], n_chunks: int) -> int:
    """By trying every way to cut: the smallest possible largest chunk."""
    return min(
        max(sum(sizes[start:end]) for start, end in pairwise((0, *cuts, len(sizes))))
        for cuts in combinations(range(1, len(sizes)), n_chunks - 1)
    )


def fewest(sizes: list[int], budget: int) -> int:
    return next(n for n in range(1, len(sizes) + 1) if smallest_largest(sizes, n) <= budget)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(40, 120))
def test_as_few_as_possible_and_the_largest_as_small_as_possible(sizes: list[int], budget: int) -> None:
    got = sizes_of(build_chunks("d", build(sizes), budget))
    assert len(got) == fewest(sizes, budget)
    assert max(got) == smallest_largest(sizes, len(got))


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
    st.integers(60, 300),
    st.integers(0, 5),
    st.integers(0, 8),
    st.integers(0, 20),
)
@example([40] * 60, 60, 5, 8, 20)
def test_every_piece_once_in_order_and_none_over_budget(
    sizes: list[int], budget: int, overlap: int, lead: int, n_split: int
) -> None:
    pieces = build(sizes, lead, min(n_split, len(sizes)))
    chunks = build_chunks("d", pieces, budget, overlap)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert {chunk.n_chunks for chunk in chunks} == {len(chunks)}
    assert [chunk.new_start for chunk in chunks] == [0, *[chunk.end for chunk in chunks[:-1]]]
    assert chunks[-1].end == 10 * len(sizes)
    for chunk in chunks:
        assert len(chunk.token_ids) <= budget
        assert chunk.start <= chunk.new_start < chunk.end
        shown = [index for index in chunk.token_ids if index >= 0]
        assert shown == [index for index in range(chunk.start // 10, chunk.end // 10) for _ in range(sizes[index])]
        assert chunk.n_repeated_tokens == sum(sizes[chunk.start // 10 : chunk.new_start // 10])
        repeated = sizes[chunk.start // 10 : chunk.new_start // 10]
        assert sum(size > 0 for size in repeated) <= overlap
    assert sum(len([i for i in chunk.token_ids if i >= 0]) - chunk.n_repeated_tokens for chunk in chunks) == sum(sizes)


@pytest.mark.parametrize(("n_pieces", "size", "overlap"), [(2_415, 700, 2), (100_000, 25, 3)])
def test_long_documents_are_cut_in_no_time(n_pieces: int, size: int, overlap: int) -> None:
    pieces = build([size] * n_pieces)
    start_s = time.perf_counter()
    chunks = build_chunks("d", pieces, 120_000, overlap)
    assert time.perf_counter() - start_s < 3
    assert max(sizes_of(chunks)) - min(sizes_of(chunks)) <= 25 * size
