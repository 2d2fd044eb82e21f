"""Mistral's own tokenizers, by mistral-common: sentencepiece (tokenizer.model.v3, .v7, ...) and Tekken (tekken.json).

mistral-common never reads control tokens from text. Its sentencepiece models put a space before every text; ours is
told not to, so that the ids of consecutive texts can be put one after the other.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.messages import SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer as Library
from mistral_common.tokens.tokenizers.sentencepiece import is_sentencepiece
from sentencepiece import SentencePieceProcessor, ThreadPool, sentencepiece_model_pb2

from pipeline.errors import JobError
from pipeline.prompts.tokenizer import Frame

AnyLibrary = Library[Any, Any, Any, Any, Any]
EncodeTexts = Callable[[Sequence[str]], list[list[int]]]
THREAD_CHARS = 400
"""Texts shorter than this, on average, are encoded by one thread: threads that meet for each of them are slower."""


class MistralTokenizer:
    """A Tokenizer (see there) from a file of mistral-common's."""

    def __init__(self, file: Path, library: AnyLibrary) -> None:
        base = library.instruct_tokenizer.tokenizer
        content = file.read_bytes()
        self.name = file.name
        self.identity = hashlib.sha256(content).hexdigest()[:16]
        self.vocab_size = int(base.n_words)
        self.control_ids = frozenset(base.special_ids | {base.unk_id})
        self._library = library
        self._end_of_turn = int(base.get_special_token("[/INST]"))
        self._encode: EncodeTexts
        self._decode: Callable[[list[int]], str]
        if is_sentencepiece(file):
            processor = _load_without_prefix(content)
            threads = ThreadPool(_n_cores())  # kept: threads made anew for each call cost more than a short text
            self._encode = lambda texts: processor.encode(texts, thread_pool=threads)
            self._decode = processor.decode
        else:
            self._encode = _on_all_cores(lambda text: base.encode(text, bos=False, eos=False))
            self._decode = base.decode

    def encode_batch(self, texts: Sequence[str]) -> list[array[int]]:
        """See Tokenizer."""
        return [array("i", ids) for ids in self._encode(list(texts))]

    def build_frame(self, system: str, lead: str) -> Frame:
        """See Tokenizer. What mistral-common gives for this chat, cut at the end of the user's turn.

        Formats before v7 have no system turn: mistral-common puts its text before the user's.
        """
        messages = [SystemMessage(content=system), UserMessage(content=lead)]
        ids = self._library.encode_chat_completion(ChatCompletionRequest(messages=messages)).tokens
        cut = len(ids) - 1 - ids[::-1].index(self._end_of_turn)
        return Frame(tuple(ids[:cut]), tuple(ids[cut:]))

    def decode(self, token_ids: Sequence[int]) -> str:
        """See Tokenizer."""
        return self._decode([index for index in token_ids if index not in self.control_ids])


def load_mistral_tokenizer(file: Path) -> MistralTokenizer:
    """Load one tokenizer file; its version is in its name (sentencepiece) or its content (Tekken).

    Raises:
        JobError: The file cannot be loaded, or is of version 1, which writes control tokens as text.
    """
    try:
        library = Library.from_file(file)
    except (MistralCommonException, AssertionError, ValueError, KeyError, TypeError, OSError, RuntimeError) as error:
        raise JobError(f"{file} is not a tokenizer of mistral-common's: {type(error).__name__}: {error}.") from error
    if library.version.version_num < 2:
        raise JobError(f"{file} is of version 1, whose control tokens are plain text: documents could forge them.")
    return MistralTokenizer(file, library)


def _n_cores() -> int:
    return len(os.sched_getaffinity(0))


def _on_all_cores(encode: Callable[[str], list[int]]) -> EncodeTexts:
    """Encode texts in threads; most of the work is done outside the interpreter's lock."""
    threads = ThreadPoolExecutor(_n_cores(), thread_name_prefix="tokenizer")

    def encode_texts(texts: Sequence[str]) -> list[list[int]]:
        if sum(map(len, texts)) < THREAD_CHARS * len(texts):
            return [encode(text) for text in texts]
        return list(threads.map(encode, texts))

    return encode_texts


def _load_without_prefix(content: bytes) -> SentencePieceProcessor:
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # made at import
    model.ParseFromString(content)
    model.normalizer_spec.add_dummy_prefix = False
    return SentencePieceProcessor(model_proto=model.SerializeToString())
