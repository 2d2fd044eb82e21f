"""Tokenizers in Hugging Face's form: tokenizer.json and a chat template, without transformers (slow to import).

Two tokenizers are made of one file. The template's keeps the file as it is and reads control tokens. The text's reads
none, cuts and pads nothing, and puts no space before a text (as sentencepiece models do by default), so that the ids of
consecutive texts can be put one after the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Library

from pipeline.errors import JobError
from pipeline.prompts.chat_template import ChatTemplate, load_chat_template
from pipeline.prompts.tokenizer import Frame


class HFTokenizer:
    """A Tokenizer (see there) from Hugging Face files."""

    def __init__(self, name: str, tokenizer_json: str, template: ChatTemplate) -> None:
        spec = json.loads(tokenizer_json)
        added = {
            token["content"]: int(token["id"]) for token in spec.get("added_tokens", []) if token["content"].strip()
        }
        self.name = name
        self.identity = hashlib.sha256(f"{tokenizer_json}\n{template.source}".encode()).hexdigest()[:16]
        self._template = template
        self._framing = _load(tokenizer_json)
        self._text = _load(json.dumps(_build_text_spec(spec)))
        self._text.encode_special_tokens = True
        self.vocab_size = 1 + max(self._framing.get_vocab().values())
        unknown = spec["model"].get("unk_token")
        self.control_ids = frozenset(index for content, index in added.items() if content != unknown)
        self._control = re.compile("|".join(map(re.escape, sorted(added, key=len, reverse=True))) or r"(?!)")
        self._probe(list(added))

    def encode_batch(self, texts: Sequence[str]) -> list[array[int]]:
        """See Tokenizer."""
        encodings = self._text.encode_batch_fast(list(texts), add_special_tokens=False)
        return [array("i", encoding.ids) for encoding in encodings]

    def build_frame(self, system: str, lead: str) -> Frame:
        """See Tokenizer. Only the template's own words may become control tokens; `system` and `lead` cannot."""
        pieces = self._template.split(system, lead)
        literals, given = pieces[::2], self.encode_batch(pieces[1::2])
        opening = array("i")
        for literal, ids in zip(literals[:-1], given, strict=True):
            opening += self._encode_literal(literal, is_first=not opening) + ids
        return Frame(tuple(opening), tuple(self._encode_literal(literals[-1], is_first=False)))

    def decode(self, token_ids: Sequence[int]) -> str:
        """See Tokenizer."""
        return str(self._text.decode([index for index in token_ids if index not in self.control_ids]))

    def _encode_literal(self, literal: str, *, is_first: bool) -> array[int]:
        """Ids of the template's words; those before a control token continue a text unless they come first."""
        found = self._control.search(literal)
        cut = 0 if is_first else found.start() if found else len(literal)
        head = self.encode_batch([literal[:cut]])[0]
        return head + array("i", self._framing.encode(literal[cut:], add_special_tokens=False).ids)

    def _probe(self, controls: list[str]) -> None:
        """Refuse a tokenizer that makes control tokens of text even when told not to (some unigram models)."""
        for text, ids in zip(controls, self.encode_batch(controls), strict=True):
            if not self.control_ids.isdisjoint(ids):
                raise JobError(
                    f"The tokenizer {self.name} makes a control token of the text {text!r}; it is not safe here."
                )


def load_hf_tokenizer(folder: Path) -> HFTokenizer:
    """Load tokenizer.json and the chat template of a model folder.

    Raises:
        JobError: A file is missing or not what it should be.
    """
    # Without a word the library uses all cores, but shells and libraries say "false" for programs that fork after it
    # has begun. We never do: our children are programs of their own.
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    path = folder / "tokenizer.json"
    try:
        tokenizer_json = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"No tokenizer at {path}: {error}. A model folder holds tokenizer.json.") from error
    template = load_chat_template(folder)
    try:
        return HFTokenizer(folder.name, tokenizer_json, template)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise JobError(f"{path} is not a tokenizer file: {type(error).__name__}: {error}.") from error


def _load(tokenizer_json: str) -> Library:
    try:
        library = Library.from_str(tokenizer_json)
    except Exception as error:  # tokenizers raises Exception itself: it has no class of its own
        raise JobError(f"The tokenizer file cannot be loaded: {error}.") from error
    library.no_truncation()
    library.no_padding()
    return library


def _build_text_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer file for text: every added token can be switched off, nothing is put before a text.

    Added tokens of whitespace only are left as they are: they shorten text and control nothing.
    """
    added = [{**token, "special": bool(token["content"].strip())} for token in spec.get("added_tokens", [])]
    parts = {key: _without_prefix(spec.get(key)) for key in ("normalizer", "pre_tokenizer", "decoder")}
    return {**spec, **parts, "added_tokens": added}


_NO_PREFIX: dict[str, dict[str, Any]] = {
    "Metaspace": {"prepend_scheme": "never"},
    "ByteLevel": {"add_prefix_space": False},
    "Strip": {"start": 0},
}


def _without_prefix(node: object) -> object:
    """A part of the tokenizer file that puts no space before a text, and takes none away when decoding."""
    if isinstance(node, list):
        return [_without_prefix(item) for item in node if not _is_prepend(item)]
    if not isinstance(node, dict):
        return node
    if _is_prepend(node):
        return None
    changed = _NO_PREFIX.get(node.get("type", ""), {})
    return {key: changed.get(key, _without_prefix(value)) for key, value in node.items() if key != "str_rep"}


def _is_prepend(node: object) -> bool:
    return isinstance(node, dict) and node.get("type") == "Prepend"
