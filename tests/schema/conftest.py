"""Contracts from plain dicts, and llguidance's own matcher over single bytes: what a model can really write."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from pipeline.schema.lark import build_grammar
from pipeline.schema.load import Contract, load_contract

END = 256


class _Bytes:
    """A tokenizer of 257 tokens: one a byte, and the end."""

    def __init__(self) -> None:
        self.eos_token_id = END
        self.bos_token_id = None
        self.tokens = [*(bytes([value]) for value in range(256)), b"<end>"]
        self.special_token_ids = [END]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


def _matcher(decoder_schema: str) -> LLMatcher:
    tokenizer = LLTokenizer(TokenizerWrapper(_Bytes()), n_vocab=END + 1)
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(build_grammar(decoder_schema)))
    assert not matcher.is_error(), matcher.get_error()
    return matcher


@pytest.fixture(scope="session")
def can_write() -> Callable[[str, str], bool]:
    """True when the grammar of a decoder schema lets the whole text be written and then end."""

    def check(decoder_schema: str, text: str) -> bool:
        matcher = _matcher(decoder_schema)
        tokens = list(text.encode())
        return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())

    return check


def _write(decoder_schema: str, choose: Callable[[list[int]], int], limit: int) -> bytes:
    """Write allowed bytes until the grammar has no more or `limit` is passed; the end only where nothing else is."""
    matcher = _matcher(decoder_schema)
    written = bytearray()
    while not matcher.is_stopped() and len(written) <= limit:
        mask = matcher.compute_bitmask()
        allowed = [token for token in range(END) if mask[token // 8] >> token % 8 & 1]
        assert not matcher.is_error(), matcher.get_error()
        if not allowed:
            break
        token = choose(allowed)
        assert matcher.consume_token(token)
        written.append(token)
    return bytes(written)


@pytest.fixture(scope="session")
def write_at_random() -> Callable[[str, random.Random, int], bytes]:
    """Write allowed bytes at random: a model without sense."""

    def write(decoder_schema: str, chance: random.Random, limit: int) -> bytes:
        return _write(decoder_schema, chance.choice, limit)

    return write


@pytest.fixture(scope="session")
def write_without_end() -> Callable[[str, random.Random, int], bytes]:
    """Write the longest characters, and no end that can be put off: the worst model there is."""

    def write(decoder_schema: str, chance: random.Random, limit: int) -> bytes:
        def choose(allowed: list[int]) -> int:
            return max(allowed, key=lambda byte: (_eagerness(byte), chance.random()))

        return _write(decoder_schema, choose, limit)

    return write


def _eagerness(byte: int) -> int:
    """How much longer a text can get by a byte: emoji, other letters, escapes, signs and digits; its ends come last."""
    if byte >= 0xF0:
        return 9
    if byte >= 0x80:
        return 8
    ranks = {ord("\\"): 7, ord("-"): 6, ord("."): 5, ord(","): 4, ord('"'): 1, ord("]"): 0, ord("}"): 0}
    return ranks.get(byte, 3 if chr(byte).isdigit() else 2)


@pytest.fixture(scope="session")
def contract_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Contract]:
    """Write a schema to a file and load it; the top level may be given as its properties alone."""
    path: Path = tmp_path_factory.mktemp("schemas") / "contract.json"

    def load(schema: dict[str, Any], max_tokens: int = 4096) -> Contract:
        whole = (
            schema if "type" in schema and isinstance(schema["type"], str) else {"type": "object", "properties": schema}
        )
        path.write_text(json.dumps(whole), encoding="utf-8")
        return load_contract(path, max_tokens)

    return load
