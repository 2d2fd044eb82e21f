"""Prompts of real documents: chunks of 4K, 32K and 131K tokens, and ids that do not depend on the batch."""

import json
from array import array
from collections.abc import Callable
from functools import cache
from itertools import chain, pairwise
from pathlib import Path

import pytest

from pipeline.prompts.pieces import build_pieces
from pipeline.prompts.render import PromptMaker, Question
from pipeline.prompts.tokenizer import Tokenizer
from pipeline.readers.document import Document, SegmentKind

MakeDocument = Callable[..., Document]
WINDOW = 131_072
BUDGETS = [4096, 32_768, None]
N_CHARS = 1_000_000


@cache
def contracts(corpus: Path) -> list[str]:
    """The paragraphs of contracts, one contract after the other."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted((corpus / "cuad").rglob("*.txt")))
    return [f"{paragraph}\n\n" for text in texts for paragraph in text[:60_000].split("\n\n")]


@cache
def meetings(corpus: Path) -> list[str]:
    """The turns of meetings, one meeting after the other."""
    files = sorted((corpus / "transcripts" / "qmsum").rglob("*.json"))
    spoken = (json.loads(path.read_bytes()) for path in files)
    turns = chain.from_iterable(meeting.get("meeting_transcripts", []) for meeting in spoken)
    return [f"{turn['content']}\n" for turn in turns]


def first(texts: list[str], n_chars: int) -> list[str]:
    taken = []
    for text in texts:
        taken.append(text)
        n_chars -= len(text)
        if n_chars <= 0:
            break
    return taken


@pytest.mark.corpus
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(("texts", "kind"), [(contracts, SegmentKind.PARAGRAPH), (meetings, SegmentKind.TURN)])
def test_chunks_of_real_documents_tile_fit_and_are_balanced(
    smollm2: Tokenizer,
    make_document: MakeDocument,
    corpus: Path,
    texts: Callable[[Path], list[str]],
    kind: SegmentKind,
    budget: int | None,
) -> None:
    document = make_document(first(texts(corpus), N_CHARS), kind)
    maker = PromptMaker(smollm2, [Question("t", "Who?", "{}", 400)], WINDOW, budget)
    chunks = maker.cut(document)
    assert len(document.text) > N_CHARS / 2
    assert "".join(document.text[chunk.new_start : chunk.end] for chunk in chunks) == document.text
    assert all(before.end == after.new_start for before, after in pairwise(chunks))
    sizes = [len(chunk.token_ids) for chunk in chunks]
    largest_piece = max(len(piece.token_ids) for piece in build_pieces(document, smollm2, maker.budget_tokens))
    assert max(sizes) <= maker.budget_tokens
    assert len(chunks) == 1 or max(sizes) <= 1.15 * sum(sizes) / len(sizes) + largest_piece
    assert len(chunks) <= -(-sum(sizes) // (maker.budget_tokens - largest_piece))
    prompts = [prompt for chunk in chunks for prompt in maker.prompts(chunk)]
    assert all(len(prompt.token_ids) + prompt.max_tokens <= WINDOW for prompt in prompts)
    assert all(isinstance(prompt.token_ids, array) and prompt.token_ids.itemsize == 4 for prompt in prompts)


@pytest.mark.corpus
def test_ids_of_real_text_do_not_depend_on_the_batch(real_tokenizer: Tokenizer, corpus: Path) -> None:
    text = "".join(first(contracts(corpus), 60_000) + first(meetings(corpus), 60_000))
    for n_chars in (80, 2000, 20_000):
        parts = [text[at : at + n_chars] for at in range(0, len(text), n_chars)]
        together = real_tokenizer.encode_batch(parts)
        assert together == [real_tokenizer.encode_batch([part])[0] for part in parts]
        assert real_tokenizer.decode(list(chain.from_iterable(together))) == text
