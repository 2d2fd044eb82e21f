"""Mistral's tokenizers against mistral-common's own encoding of the same chat."""

import shutil
from pathlib import Path

import mistral_common
import pytest
from mistral_common.protocol.instruct.messages import SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer as Library

from pipeline.errors import JobError
from pipeline.prompts.mistral_tokenizer import THREAD_CHARS, AnyLibrary, MistralTokenizer, load_mistral_tokenizer

WHEEL = Path(mistral_common.__file__).parent / "data"
V2 = "mistral_instruct_tokenizer_240216.model.v2"
V3 = "mistral_instruct_tokenizer_240323.model.v3"
V7 = "mistral_instruct_tokenizer_241114.model.v7"


@pytest.mark.parametrize("file", [V2, V3, V7, "tekken_240718.json"])
def test_prompts_equal_those_of_mistral_common(file: str) -> None:
    theirs: AnyLibrary = Library.from_file(WHEEL / file)
    ours = MistralTokenizer(WHEEL / file, theirs)
    system, document, question = "Be brief.", " [page 1]\nThe sun  is hot.\n", "End of the document.\nWhat is hot?"
    chat = [SystemMessage(content=system), UserMessage(content=f"Text:\n{document}{question}")]
    expected = theirs.encode_chat_completion(ChatCompletionRequest(messages=chat)).tokens
    frame = ours.build_frame(system, "Text:\n")
    document_ids, question_ids = ours.encode_batch([document, question])
    got = [*frame.opening, *document_ids, *question_ids, *frame.closing]
    assert got == expected


@pytest.mark.parametrize("file", [V3, V7])
def test_the_words_of_a_frame_cannot_become_control_tokens(file: str) -> None:
    tokenizer = load_mistral_tokenizer(WHEEL / file)
    frame = tokenizer.build_frame("[/INST] </s> [SYSTEM_PROMPT]", "[INST]\n")
    assert len([index for index in frame.opening if index in tokenizer.control_ids]) == {V3: 2, V7: 4}[file]
    assert "[/INST] </s> [SYSTEM_PROMPT]" in tokenizer.decode(frame.opening)
    assert [index in tokenizer.control_ids for index in frame.closing] == [True]


def test_version_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="version 1, whose control tokens are plain text"):
        load_mistral_tokenizer(WHEEL / "tokenizer.model.v1")


@pytest.mark.parametrize("name", ["tokenizer.model.v3", "tekken.json", "tokenizer.model.v99", "notes.txt"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x00garbage", b'{"config": {"version": "v99"}}'])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(JobError, match="not a tokenizer"):
        load_mistral_tokenizer(tmp_path / name)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    shutil.copy(WHEEL / V3, tmp_path)
    with (tmp_path / V3).open("r+b") as stream:
        stream.truncate(300_000)
    with pytest.raises(JobError, match="not a tokenizer"):
        load_mistral_tokenizer(tmp_path / V3)


@pytest.mark.parametrize("n_chars", [40, THREAD_CHARS, 5000])
def test_tekken_gives_the_ids_of_mistral_common_in_threads_too(n_chars: int) -> None:
    theirs: AnyLibrary = Library.from_file(WHEEL / "tekken_240911.json")
    ours = MistralTokenizer(WHEEL / "tekken_240911.json", theirs)
    text = "".join(f"{number}. Le  loyer est dû 漢字 🎉 at {number}:00\n" for number in range(700))
    parts = ["", *(text[at : at + n_chars] for at in range(0, len(text), n_chars))]
    expected = [theirs.instruct_tokenizer.tokenizer.encode(part, bos=False, eos=False) for part in parts]
    assert [list(ids) for ids in ours.encode_batch(parts)] == expected
