"""What prompts cost before any engine: cutting, assembling and keys on one core, and tokenizing beside it.

    python benchmarks/prompts.py [--corpus FOLDER] [--times N] [--characters N] [--tokenizers NAMES] [--out FOLDER]

Three minutes. Writes prompts.json and prompts.md. Exit code 1: cutting, assembling and keys are slower than a million
tokens a second. With a corpus, its contracts and transcripts are what is tokenized, else made text.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import compare
import tokenizing
import workload
from compare import Comparison, Contender, Figures, Page

from pipeline.engines.settings import prompt_key
from pipeline.prompts.prompt import Prompt
from pipeline.prompts.render import PromptMaker, Question
from pipeline.prompts.tokenizer import Frame, Tokenizer
from pipeline.readers.document import Document, Segment, SegmentKind

SPEED = "tokens/s"
GOAL, GOAL_SPEED = "the goal", 1_000_000.0
ONE_CORE, ALL_CORES = "one core", "all cores"
WINDOW = 131_072
QUESTION = Question("facts", "What is the title, the date and the amount?", '{"type":"object"}', 400)
_FINGERPRINT = "0" * 64
_SUFFIXES = (".txt", ".md", ".vtt", ".srt")
_PREFACE = (
    "Cutting, assembling and keys: all that lies between a document that was read and a prompt that the engine is "
    "given, but for the tokenizer's own time, which is taken off; on one core.",
    "Tokenizing: the same characters as one text (in windows of 20,000 characters, as the pipeline cuts it), as pages "
    "of 2,000 and as lines of 80, in batches of a million, until the ids are held as the pipeline holds them. Each "
    "figure comes from a process of its own, which may use one core or all.",
)


class Apart:
    """A Tokenizer that says how long it took.

    Attributes:
        seconds: In `encode_batch` so far.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.seconds = 0.0
        self.name, self.identity = tokenizer.name, tokenizer.identity
        self.vocab_size, self.control_ids = tokenizer.vocab_size, tokenizer.control_ids

    def encode_batch(self, texts: Sequence[str]) -> list[array[int]]:
        """See Tokenizer."""
        start_s = time.perf_counter()
        encoded = self._tokenizer.encode_batch(texts)
        self.seconds += time.perf_counter() - start_s
        return encoded

    def build_frame(self, system: str, lead: str) -> Frame:
        """See Tokenizer."""
        return self._tokenizer.build_frame(system, lead)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See Tokenizer."""
        return self._tokenizer.decode(token_ids)


def main() -> int:
    """Measure, write and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with cuad/ and transcripts/")
    parser.add_argument("--characters", type=int, default=1_620_000, help="tokenized; the documents have twice as many")
    parser.add_argument("--tokenizers", nargs="*", choices=tokenizing.NAMES, default=tokenizing.NAMES)
    compare.add_options(parser)
    options = parser.parse_args()
    comparisons = [compare_shapes(2 * options.characters, options.times)]
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(load_text(options.corpus, options.characters), encoding="utf-8")
        comparisons += [compare_cores(name, text, options.times) for name in options.tokenizers]
    packages = ("tokenizers", "mistral_common", "sentencepiece", "tiktoken")
    page = Page("prompts", "Prompts", "make bench-prompts", comparisons, _PREFACE, packages)
    return compare.write_page(page, options.out)


def compare_shapes(n_chars: int, times: int) -> Comparison:
    """Cutting, assembling and keys of documents of three shapes, against the goal."""
    tokenizer = tokenizing.load(tokenizing.EMBEDDED)
    contenders = [
        Contender(name, partial(assemble, tokenizer, documents), at_least=1.0)
        for name, documents in build_shapes(n_chars).items()
    ]
    goal = Contender(GOAL, lambda: {SPEED: GOAL_SPEED})
    return compare.compare("Cutting, assembling and keys", [goal, *contenders], GOAL, times, SPEED)


def compare_cores(name: str, text: Path, times: int) -> Comparison:
    """One tokenizer with one core and with all."""
    one, both = partial(_tokenize, name, text, "--one-core"), partial(_tokenize, name, text)
    contenders = [Contender(ONE_CORE, one), Contender(ALL_CORES, both)]
    return compare.compare(f"Tokenizing, {name}, tokens/s", contenders, ONE_CORE, times, "pages")


def assemble(tokenizer: Tokenizer, documents: Sequence[Document]) -> Figures:
    """Make all prompts of the documents and their keys, none of which is kept."""
    apart = Apart(tokenizer)
    maker = PromptMaker(apart, [QUESTION], WINDOW)
    apart.seconds, n_tokens, n_prompts = 0.0, 0, 0
    start_s = time.perf_counter()
    for prompt in _iter_prompts(maker, documents):
        prompt_key(prompt, _FINGERPRINT)
        n_tokens += len(prompt.token_ids)
        n_prompts += 1
    seconds = time.perf_counter() - start_s - apart.seconds
    return {SPEED: n_tokens / seconds, "prompts/s": n_prompts / seconds, "tokens a prompt": n_tokens / n_prompts}


def _iter_prompts(maker: PromptMaker, documents: Sequence[Document]) -> Iterator[Prompt]:
    return (prompt for document in documents for chunk in maker.cut(document) for prompt in maker.prompts(chunk))


def build_shapes(n_chars: int) -> dict[str, list[Document]]:
    """Documents of about so many characters in all: four with pages, four with cues, and many small ones."""
    draw = random.Random(0)
    text = workload.make_text(draw, n_chars // 4)
    text *= 1 + n_chars // len(text)
    quarter, small = n_chars // 4, 1700
    return {
        "four documents of pages": [_build(text[at * quarter :][:quarter], 2500, _page) for at in range(4)],
        "four documents of cues": [_build(text[at * quarter :][:quarter], 90, _cue) for at in range(4)],
        "small documents": [_build(text[at : at + small], 600, _paragraph) for at in range(0, n_chars, small)],
    }


Build = Callable[[int, int, int], Segment]


def _build(text: str, n_chars: int, build: Build) -> Document:
    """A document whose segments have so many characters."""
    borders = [*range(0, len(text), n_chars), len(text)]
    segments = tuple(build(index, borders[index], borders[index + 1]) for index in range(len(borders) - 1))
    return Document("folder/document.pdf", "0" * 64, "folder/document.pdf", "pdf", text, segments)


def _page(index: int, start: int, end: int) -> Segment:
    return Segment(SegmentKind.PAGE, start, end, page_number=index + 1)


def _cue(index: int, start: int, end: int) -> Segment:
    return Segment(SegmentKind.CUE, start, end, start_ms=2300 * index, speaker=f"Speaker {index % 5}")


def _paragraph(_: int, start: int, end: int) -> Segment:
    return Segment(SegmentKind.PARAGRAPH, start, end)


def load_text(corpus: Path | None, n_chars: int) -> str:
    """So many characters of the corpus' texts in the order of their names, as far as they go, or of made text."""
    if corpus is None or not corpus.is_dir():
        return workload.make_text(random.Random(0), n_chars // 4)[:n_chars]
    found = ""
    for path in sorted(path for path in corpus.rglob("*") if path.suffix in _SUFFIXES and path.is_file()):
        if len(found) < n_chars:
            found += path.read_text(encoding="utf-8", errors="ignore")
    return found[:n_chars]


def _tokenize(name: str, text: Path, *options: str) -> Figures:
    command = [sys.executable, str(Path(tokenizing.__file__)), name, str(text), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return {shape: float(speed) for shape, speed in json.loads(done.stdout).items()}


if __name__ == "__main__":
    sys.exit(main())
