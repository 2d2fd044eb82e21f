"""The tokenizers of these tests: SmolLM2's and Mistral's real ones, and one that gives an id for each byte."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers

from pipeline.models import resolve_model
from pipeline.prompts.chat_template import ChatTemplate
from pipeline.prompts.hf_tokenizer import HFTokenizer
from pipeline.prompts.tokenizer import Tokenizer
from pipeline.prompts.tokenizers import load_tokenizer
from pipeline.readers.document import Document, Segment, SegmentKind

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """The embedded model's folder; made on first use (half a minute), then taken from the cache."""
    return resolve_model("smollm2-135m-instruct", Path()).path


@pytest.fixture(scope="session")
def smollm2(smollm2_folder: Path) -> Tokenizer:
    return load_tokenizer("hf", smollm2_folder)


@pytest.fixture(scope="session")
def transformers_tokenizer(smollm2_folder: Path) -> Any:
    """SmolLM2's tokenizer as transformers loads it: what ours is compared with."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2_folder)


@pytest.fixture(scope="session")
def mistral_2407() -> Tokenizer:
    return load_tokenizer("auto", name="mistral-large-2407")


@pytest.fixture(scope="session")
def mistral_2411() -> Tokenizer:
    return load_tokenizer("auto", name="mistral-large-2411")


@pytest.fixture(scope="session", params=["smollm2", "mistral_2407", "mistral_2411", "tekken"])
def real_tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Each real tokenizer in turn."""
    if request.param != "tekken":
        tokenizer: Tokenizer = request.getfixturevalue(request.param)
        return tokenizer
    import mistral_common

    folder = tmp_path_factory.mktemp("tekken")
    (folder / "tekken.json").symlink_to(Path(mistral_common.__file__).parent / "data" / "tekken_240911.json")
    return load_tokenizer("mistral", folder)


@pytest.fixture(scope="session")
def byte_json() -> str:
    """A tokenizer file with an id for each byte, and ids for ChatML's two control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    library = Library(models.BPE(vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return str(library.to_str())


@pytest.fixture(scope="session")
def byte_tokenizer(byte_json: str) -> Tokenizer:
    return HFTokenizer("bytes", byte_json, ChatTemplate(CHATML, {}))


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """A model folder with this tokenizer.json and this chat template."""

    def make(tokenizer_json: str, template: str = CHATML) -> Path:
        folder = tmp_path_factory.mktemp("model")
        (folder / "tokenizer.json").write_text(tokenizer_json)
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
        return folder

    return make


MakeDocument = Callable[..., Document]


@pytest.fixture(scope="session")
def make_document() -> MakeDocument:
    """A document with these texts as its segments."""

    def make(texts: Sequence[str], kind: SegmentKind = SegmentKind.PAGE, speaker: str | None = None) -> Document:
        segments: list[Segment] = []
        position = 0
        for index, text in enumerate(texts):
            end = position + len(text)
            number, start_ms = (index + 1, None) if kind is SegmentKind.PAGE else (None, 1000 * index)
            if kind is SegmentKind.PARAGRAPH:
                number = start_ms = None
            segments.append(Segment(kind, position, end, page_number=number, start_ms=start_ms, speaker=speaker))
            position = end
        return Document("doc", "key", "a.pdf", "pdf", "".join(texts), tuple(segments))

    return make
