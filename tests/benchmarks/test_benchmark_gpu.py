"""What the GPU script prepares; what it measures takes a GPU, or `gpu.py --rehearse`."""

from pathlib import Path

import gpu
import gpu_models
import pytest
import tasks
from bare_prompts import load_asked

from pipeline.models import load_model_folder, resolve_model


@pytest.fixture(scope="module")
def tokenizer() -> Path:
    return resolve_model("smollm2-135m-instruct", Path()).path


@pytest.mark.parametrize("shape", gpu_models.SHAPES)
def test_a_model_without_weights_is_taken_for_one(shape: str, tokenizer: Path, tmp_path: Path) -> None:
    model = load_model_folder(gpu_models.write_model(tmp_path / shape, shape, tokenizer))
    assert model.context_window == 131_072
    assert (model.path / "model.safetensors").stat().st_size < 5000


def test_the_memory_of_a_token() -> None:
    assert gpu_models.cache_bytes_per_token("nemo-12b") == 163_840  # 160 KiB, as vLLM says of this model
    assert gpu_models.cache_bytes_per_token("rehearsal") == 512


@pytest.mark.parametrize(("on_cpu", "eager"), [(True, True), (False, None)])
def test_vllm_alone_gets_the_arguments_of_the_device(
    on_cpu: bool, eager: bool | None, tokenizer: Path, tmp_path: Path
) -> None:
    model = gpu_models.write_model(tmp_path / "model", "rehearsal", tokenizer)
    engine = gpu._ENGINE.format(model=model, further="max_num_seqs = 4")
    asked = load_asked(tasks.write_job(tmp_path / "job", 1, 2, 700, engine), on_cpu=on_cpu)
    assert asked.arguments["load_format"] == "dummy"
    assert asked.arguments["max_num_seqs"] == 4
    assert asked.arguments.get("enforce_eager") is eager
    assert ("kv_cache_memory_bytes" in asked.arguments) is on_cpu
    assert len(asked.prompts) == 2


def test_the_longest_prompt_fits_the_window(tokenizer: Path, tmp_path: Path) -> None:
    model = gpu_models.write_model(tmp_path / "model", "rehearsal", tokenizer)
    engine = gpu._ENGINE.format(model=model, further="")
    n_tokens = 131_072
    (prompt,) = load_asked(tasks.write_job(tmp_path / "job", 1, 1, gpu.fitting_tokens(n_tokens), engine)).prompts
    assert 0.96 * n_tokens < len(prompt.token_ids) < n_tokens - prompt.max_tokens


@pytest.mark.parametrize(("n_tokens", "n_prompts"), [(4096, 64), (131_072, 4), (1_000_000, 1), (65_536, 8), (100, 64)])
def test_the_prompts_of_a_length(n_tokens: int, n_prompts: int) -> None:
    assert gpu._count(n_tokens) == n_prompts
