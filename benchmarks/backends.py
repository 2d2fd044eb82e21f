"""Which library should hold the model to the schema: compiles real schemas three ways and lets a senseless model write.

The schemas are those of JSONSchemaBench's mask set (a folder of JSON files, each with `schema` and `tests`). Each that
loads is compiled by xgrammar and by llguidance from the decoder form, and by llguidance from our own grammar of it.
Then tokens are drawn from the mask, all equally likely, which is what random weights would do: does the answer end
within max_tokens, is it valid, what does a mask cost. The same seeds for all three; processor time of one core.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import llguidance.hf
import numpy as np
import xgrammar
from llguidance import LLMatcher, LLTokenizer
from transformers import AutoTokenizer
from vllm.v1.structured_output.backend_xgrammar import has_xgrammar_unsupported_json_features

from pipeline.errors import SchemaError
from pipeline.models import resolve_model
from pipeline.schema.lark import build_grammar
from pipeline.schema.load import Contract, load_contract

_Untyped: TypeAlias = Any  # what the libraries give
MAX_TOKENS = 1024
"""Of an answer, and of a walk."""


class Walk(Protocol):
    """A grammar that is being followed."""

    def allowed(self) -> np.ndarray[Any, Any]:
        """Bits of the tokens that may come next, lowest first."""

    def take(self, token: int) -> bool:
        """Go on with a token; false when the library refuses what it allowed."""


class RefusedError(Exception):
    """The library, or vLLM's check in front of it, does not take the schema."""


@dataclass(slots=True)
class Tally:
    """What one way did.

    Attributes:
        refused: Schemas that cannot be compiled.
        compile_ms: Time of each compilation.
        mask_ms: Time of each mask.
        ended: Walks that ended within MAX_TOKENS.
        valid: Walks whose answer is valid JSON of the whole schema.
        stuck: Walks that ended in an error of the library.
    """

    refused: int = 0
    compile_ms: list[float] = field(default_factory=list)
    mask_ms: list[float] = field(default_factory=list)
    ended: int = 0
    valid: int = 0
    stuck: int = 0


class LlguidanceWalk:
    """llguidance on one grammar."""

    def __init__(self, tokenizer: LLTokenizer, grammar: str) -> None:
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)
        if self._matcher.is_error():
            raise RefusedError(self._matcher.get_error())

    def allowed(self) -> np.ndarray[Any, Any]:
        """See Walk."""
        return np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)

    def take(self, token: int) -> bool:
        """See Walk."""
        return bool(self._matcher.consume_token(token))


class XgrammarWalk:
    """xgrammar on one decoder form, set up as vLLM does, with the separators of json.dumps."""

    def __init__(self, compiler: _Untyped, n_vocab: int, decoder_schema: str) -> None:
        if has_xgrammar_unsupported_json_features(json.loads(decoder_schema)):
            raise RefusedError("vLLM's own check")
        try:
            compiled = compiler.compile_json_schema(decoder_schema, any_whitespace=False, separators=(", ", ": "))
        except RuntimeError as exc:
            raise RefusedError(str(exc)) from exc
        self._matcher = xgrammar.GrammarMatcher(compiled)
        self._mask = xgrammar.allocate_token_bitmask(1, n_vocab)

    def allowed(self) -> np.ndarray[Any, Any]:
        """See Walk."""
        self._matcher.fill_next_token_bitmask(self._mask)
        return self._mask.numpy().view(np.uint8).reshape(-1)

    def take(self, token: int) -> bool:
        """See Walk."""
        return bool(self._matcher.accept_token(token))


def main() -> int:
    """Run all walks and print the table of docs/backends.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the mask set's data folder")
    parser.add_argument("--every", type=int, default=3, help="take every n-th schema")
    options = parser.parse_args()
    tokenizer: _Untyped = AutoTokenizer.from_pretrained(resolve_model("smollm2-135m-instruct", Path()).path)
    fast = llguidance.hf.from_tokenizer(tokenizer, len(tokenizer))
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
    from_json, from_lark = LLMatcher.grammar_from_json_schema, LLMatcher.grammar_from_lark
    ways: dict[str, Callable[[str], Walk]] = {
        "xgrammar, decoder form": lambda form: XgrammarWalk(compiler, len(tokenizer), form),
        "llguidance, decoder form": lambda form: LlguidanceWalk(fast, from_json(form)),
        "llguidance, our grammar": lambda form: LlguidanceWalk(fast, from_lark(build_grammar(form))),
    }
    tallies = {name: Tally() for name in ways}
    for number, contract in enumerate(_load(options.folder, options.every)):
        for name, start in ways.items():
            _try(start, contract, fast, random.Random(number), tallies[name])
    _print(tallies)
    return 0


def _load(folder: Path, every: int) -> Iterator[Contract]:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "schema.json"
        for file in sorted(folder.glob("*.json"))[::every]:
            path.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8"))["schema"]), encoding="utf-8")
            try:
                yield load_contract(path, MAX_TOKENS)
            except SchemaError as exc:
                print(f"{file.name} does not load: {exc}", file=sys.stderr)


def _try(
    start: Callable[[str], Walk], contract: Contract, tokenizer: LLTokenizer, chance: random.Random, tally: Tally
) -> None:
    build_grammar.cache_clear()
    began = time.process_time()
    try:
        walk = start(contract.decoder_schema)
    except RefusedError:
        tally.refused += 1
        return
    tally.compile_ms.append(1000 * (time.process_time() - began))
    tokens: list[int] = []
    end = tokenizer.eos_token
    while len(tokens) < MAX_TOKENS:
        began = time.process_time()
        bits = walk.allowed()
        tally.mask_ms.append(1000 * (time.process_time() - began))
        allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little")[: tokenizer.vocab_size])
        token = int(chance.choice(allowed)) if len(allowed) else end
        if token == end:
            break
        if not walk.take(token):
            tally.stuck += 1
            return
        tokens.append(token)
    else:
        return
    tally.ended += 1
    tally.valid += _is_valid(tokenizer.decode_bytes(tokens), contract)


def _is_valid(text: bytes, contract: Contract) -> bool:
    try:
        answer = json.loads(text, parse_float=Decimal)
    except ValueError:
        return False
    return bool(contract.validator.is_valid(answer))


def _print(tallies: dict[str, Tally]) -> None:
    print("| | " + " | ".join(tallies) + " |")
    print("|---|" + "---|" * len(tallies))
    rows: dict[str, Callable[[Tally], object]] = {
        "schemas": lambda tally: tally.refused + len(tally.compile_ms),
        "refused": lambda tally: tally.refused,
        f"walks that end within {MAX_TOKENS:,} tokens": lambda tally: tally.ended,
        "walks that are valid by the whole schema": lambda tally: tally.valid,
        "walks that end in an error": lambda tally: tally.stuck,
        "compile, median": lambda tally: _ms(tally.compile_ms, 50),
        "compile, 95 %": lambda tally: _ms(tally.compile_ms, 95),
        "mask, median": lambda tally: _ms(tally.mask_ms, 50),
        "mask, 99 %": lambda tally: _ms(tally.mask_ms, 99),
        "mask, mean": lambda tally: f"{statistics.fmean(tally.mask_ms):.2f} ms",
    }
    for name, value in rows.items():
        print(f"| {name} | " + " | ".join(str(value(tally)) for tally in tallies.values()) + " |")


def _ms(times: list[float], percent: float) -> str:
    return f"{np.percentile(times, percent):.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
