"""Keys of answers, vLLM's arguments, and that none of it loads vLLM."""

import dataclasses
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

from pipeline.engines import vllm_options
from pipeline.engines.settings import EngineSettings, answer_fingerprint, prompt_key
from pipeline.engines.vllm_options import build_arguments
from pipeline.errors import JobError
from pipeline.prompts.prompt import Prompt

KNOWN = {
    "disable_log_stats",
    "dtype",
    "enable_log_requests",
    "enable_prefix_caching",
    "enforce_eager",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "kv_cache_memory_bytes",
    "max_model_len",
    "max_num_batched_tokens",
    "max_num_seqs",
    "model",
    "quantization",
    "seed",
    "structured_outputs_config",
    "tensor_parallel_size",
    "tokenizer_mode",
}


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 30, "num_key_value_heads": 3, "head_dim": 64}')
    return EngineSettings(tmp_path, "model", "identity", 8192, tmp_path / "log")


def test_a_key_changes_with_all_that_determines_an_answer(settings: EngineSettings) -> None:
    sampled = dataclasses.replace(settings, temperature=0.5)
    variants = [
        settings,
        sampled,
        dataclasses.replace(sampled, seed=1),
        dataclasses.replace(settings, model_identity="other"),
        dataclasses.replace(settings, options={"quantization": "fp8"}),
        dataclasses.replace(settings, options={"structured_outputs_config": {"disable_fallback": True}}),
    ]
    assert len({answer_fingerprint(variant, "vllm") for variant in variants}) == len(variants)


def test_a_key_does_not_change_with_what_only_changes_the_speed(settings: EngineSettings) -> None:
    variants = [
        settings,
        dataclasses.replace(settings, seed=7),  # greedy: no seed is used
        dataclasses.replace(settings, log_path=Path("elsewhere"), request_timeout_s=1.0, stall_timeout_s=1.0),
        dataclasses.replace(settings, model_path=Path("moved"), model_name="renamed"),
        dataclasses.replace(settings, options={"tensor_parallel_size": 8, "max_num_seqs": 4}),
    ]
    assert len({answer_fingerprint(variant, "vllm") for variant in variants}) == 1


def test_the_prompts_name_and_place_are_not_in_its_key() -> None:
    one = Prompt("a", "doc", 0, "task", [1, 256, 49_151], 10, "{}")
    two = Prompt("b", "other", 5, "job", [1, 256, 49_151], 10, "{}")
    assert prompt_key(one, "f") == prompt_key(two, "f")
    assert prompt_key(one, "f") != prompt_key(one, "g")


def test_keys_stay_as_they_were_since_answers_are_found_by_them() -> None:
    long = Prompt("a:0:t", "a", 0, "t", array("i", range(0, 131_000, 7)), 400, '{"type":"object"}')
    schema = '{"type":"string","maxLength":9}'
    again = Prompt("b", "b", 0, "t", [1, 131_071, 0], 50, schema, attempt=2, temperature=0.5)
    assert prompt_key(long, "f" * 64) == "ae74ca28ef637a3ca9c0a0714906c0755df7d5d1b7effb7d67f6bdf72f5b6e2e"
    assert prompt_key(again, "") == "205c40127612a3af894c4ec059f5a892aa116e761bc637c1af6971a407a92043"
    for held in (list(long.token_ids), array("q", long.token_ids), tuple(long.token_ids)):
        assert prompt_key(dataclasses.replace(long, token_ids=held), "f" * 64).startswith("ae74ca28ef637a3c")


def test_cpu_defaults_give_way_to_the_job(settings: EngineSettings) -> None:
    plain = build_arguments(settings, KNOWN, on_cpu=True)
    assert (plain["enforce_eager"], plain["max_model_len"]) == (True, 8192)
    assert plain["structured_outputs_config"] == {"backend": "guidance"}
    assert plain["kv_cache_memory_bytes"] == 8 * 8192 * 2 * 4 * 30 * 3 * 64
    chosen = dataclasses.replace(settings, options={"enforce_eager": False, "gpu_memory_utilization": 0.2})
    arguments = build_arguments(chosen, KNOWN, on_cpu=True)
    assert arguments["enforce_eager"] is False
    assert "kv_cache_memory_bytes" not in arguments


def test_on_a_gpu_vllm_decides(settings: EngineSettings) -> None:
    arguments = build_arguments(settings, KNOWN, on_cpu=False)
    assert not {"enforce_eager", "dtype", "max_num_seqs", "kv_cache_memory_bytes"} & arguments.keys()
    assert arguments["enable_prefix_caching"] is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quantisation": "fp8"}, "did you mean quantization"),
        ({"zzz": 1}, "no option of this vLLM"),
        ({"max_model_len": 9}, r"model\.context_window"),
        ({"seed": 9}, r"generation\.seed"),
        ({"structured_outputs_config": {"backend": "auto"}}, "expected 'guidance'"),
        ({"structured_outputs_config": {"backend": "xgrammar"}}, "expected 'guidance'"),
        ({"structured_outputs_config": "xgrammar"}, "expected a table"),
    ],
)
def test_a_wrong_option_is_explained(settings: EngineSettings, options: dict[str, object], said: str) -> None:
    with pytest.raises(JobError, match=said):
        build_arguments(dataclasses.replace(settings, options=options), KNOWN, on_cpu=True)


def test_the_rest_of_the_grammar_options_is_the_jobs(settings: EngineSettings) -> None:
    chosen = dataclasses.replace(settings, options={"structured_outputs_config": {"reasoning_parser": "qwen3"}})
    arguments = build_arguments(chosen, KNOWN, on_cpu=False)
    assert arguments["structured_outputs_config"] == {"backend": "guidance", "reasoning_parser": "qwen3"}


def test_choosing_an_engine_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.engines.choose; print([m for m in ('vllm', 'torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [
        ("flags\t\t: fpu avx512f avx512_vnni", "float32"),
        ("flags\t\t: fpu avx512f avx512_bf16", "bfloat16"),
        ("flags\t\t: fpu amx_bf16 amx_tile", "bfloat16"),
        ("Features\t: fp asimd", "float32"),
        ("Features\t: fp asimd bf16", "bfloat16"),
        ("nothing of the kind", "bfloat16"),
    ],
)
def test_the_number_type_is_what_the_processor_multiplies(
    settings: EngineSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, dtype: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\n{flags}\n")
    known = vllm_options.cpu_flags(cpuinfo)
    monkeypatch.setattr(vllm_options, "cpu_flags", lambda: known)
    assert build_arguments(settings, KNOWN, on_cpu=True)["dtype"] == dtype


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert vllm_options.cpu_flags(tmp_path / "none") == frozenset()
