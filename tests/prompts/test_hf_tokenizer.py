"""Hugging Face tokenizers of every make: what is in the file must not change what text becomes."""

import json
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Library

from pipeline.errors import JobError
from pipeline.prompts.chat_template import ChatTemplate
from pipeline.prompts.hf_tokenizer import HFTokenizer, load_hf_tokenizer
from pipeline.prompts.tokenizer import Tokenizer

MakeFolder = Callable[..., Path]


def test_prompts_equal_those_of_transformers(smollm2: Tokenizer, transformers_tokenizer: Any) -> None:
    system, document, question = "Be brief.", "[page 1]\nThe sun is hot.\n", "End of the document.\n\nWhat is hot?"
    chat = [{"role": "system", "content": system}, {"role": "user", "content": f"Text:\n{document}{question}"}]
    expected = transformers_tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    frame = smollm2.build_frame(system, "Text:\n")
    document_ids, question_ids = smollm2.encode_batch([document, question])
    assert [*frame.opening, *document_ids, *question_ids, *frame.closing] == expected


def _spaces_json(scheme: str) -> str:
    """A sentencepiece-like model in one of the three ways that Hugging Face writes its space before a text."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": 3 + byte for byte in range(256)}}
    for char in "▁abcdefghijklmnopqrstuvwxyzINST[]/":
        vocab.setdefault(char, len(vocab))
    library = Library(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if scheme == "prepend":
        library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    elif scheme == "prepend alone":
        library.normalizer = normalizers.Prepend("▁")
        library.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    else:
        library.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    library.decoder = decoders.Sequence(steps)
    library.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    library.add_special_tokens(["<s>", "</s>"])
    return str(library.to_str())


LLAMA = "{{ bos_token }}[INST] {{ messages[-1].content }} [/INST]"


@pytest.mark.parametrize("scheme", ["prepend", "prepend alone", "always", "first"])
def test_no_space_is_put_before_texts(make_folder: MakeFolder, scheme: str) -> None:
    folder = make_folder(_spaces_json(scheme), LLAMA)
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"bos_token": {"content": "<s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_hf_tokenizer(folder)
    assert tokenizer.decode(tokenizer.encode_batch([" a</s> b\n"])[0]) == " a</s> b\n"
    first, second = tokenizer.encode_batch(["ab ", "cd"])
    assert tokenizer.decode(first + second) == "ab cd"
    frame = tokenizer.build_frame("sys", "doc\n")
    whole = Library.from_str((folder / "tokenizer.json").read_text())
    expected = whole.encode("<s>[INST] sys\n\ndoc\nab [/INST]", add_special_tokens=False).ids
    got = [*frame.opening, *tokenizer.encode_batch(["ab"])[0], *frame.closing]
    assert tokenizer.decode(got).lstrip() == "[INST] sys\n\ndoc\nab [/INST]"
    assert got == expected


def test_cutting_filling_and_adding_in_the_file_are_ignored(byte_json: str, make_folder: MakeFolder) -> None:
    library = Library.from_str(byte_json)
    library.enable_truncation(3)
    library.enable_padding(length=50)
    library.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", 256)]
    )
    tokenizer = load_hf_tokenizer(make_folder(library.to_str()))
    assert [len(ids) for ids in tokenizer.encode_batch(["abcdef", "", "ab"])] == [6, 0, 2]
    assert tokenizer.build_frame("s", "d\n").opening.count(256) == 2


def test_added_tokens_not_called_special_stay_text_and_those_of_spaces_are_used(
    byte_json: str, make_folder: MakeFolder
) -> None:
    library = Library.from_str(byte_json)
    library.add_tokens(["<think>", AddedToken("    ", normalized=False)])
    tokenizer = load_hf_tokenizer(make_folder(library.to_str()))
    think, spaces = library.token_to_id("<think>"), library.token_to_id("    ")
    assert think in tokenizer.control_ids
    first, rest = tokenizer.encode_batch(["<think>", "think>"])
    assert list(first) == [*library.encode("<").ids, *rest]
    assert [list(ids) for ids in tokenizer.encode_batch(["    "])] == [[spaces]]


def test_the_unknown_token_is_no_control_token() -> None:
    library = Library(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.add_special_tokens(["<unk>", "<end>"])
    tokenizer = HFTokenizer("words", library.to_str(), ChatTemplate("{{ messages[-1].content }}<end>", {}))
    assert tokenizer.encode_batch(["a b"]) == [array("i", [0, 1])]
    assert tokenizer.control_ids == {2}


def test_a_model_that_always_reads_control_tokens_is_refused(make_folder: MakeFolder) -> None:
    pieces = [("<unk>", 0.0), ("</s>", 0.0), *((char, -1.0) for char in "</s>ab")]
    library = Library(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    library.add_special_tokens(["</s>"])
    with pytest.raises(JobError, match=r"makes a control token of the text '</s>'"):
        load_hf_tokenizer(make_folder(library.to_str()))


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"model": {}}', '{"model": 3, "added_tokens": [1]}', "x"])
def test_a_file_that_is_no_tokenizer_is_refused(make_folder: MakeFolder, content: str) -> None:
    with pytest.raises(JobError, match="tokenizer"):
        load_hf_tokenizer(make_folder(content))


def test_bytes_that_are_no_text_are_refused(make_folder: MakeFolder) -> None:
    folder = make_folder("{}")
    (folder / "tokenizer.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobError, match="No tokenizer at"):
        load_hf_tokenizer(folder)


def test_identity_changes_with_the_file_and_with_the_template(byte_json: str, make_folder: MakeFolder) -> None:
    template = "<|im_start|>{{ messages[-1].content }}"
    folders = [
        make_folder(byte_json),
        make_folder(byte_json, template),
        make_folder(byte_json + " "),
    ]
    identities = [load_hf_tokenizer(folder).identity for folder in folders]
    assert len(set(identities)) == 3
    assert identities[0] == load_hf_tokenizer(folders[0]).identity


def test_all_cores_are_used_whatever_the_environment_says(
    byte_json: str, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    load_hf_tokenizer(make_folder(byte_json))
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
