"""Real vLLM: one SmolLM2 engine for the session answers; tiny engines are starved, stopped and killed."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tokenizers import Tokenizer

from pipeline.engines.engine import FinishReason, Generation
from pipeline.engines.settings import EngineSettings
from pipeline.engines.vllm_offline import VllmEngine
from pipeline.errors import EngineError, JobError
from pipeline.models import ModelFolder
from pipeline.prompts.prompt import Prompt

pytestmark = pytest.mark.engine

Encoder = Callable[[str], list[int]]
PromptMaker = Callable[..., Prompt]
SettingsMaker = Callable[..., EngineSettings]
Collector = Callable[..., dict[str, Generation]]

COLOURS = ("red", "blue", "green", "black", "white")
ANIMALS = ("dog", "cat", "horse", "sheep")


@pytest.fixture(scope="module")
def encode(smollm2_model: ModelFolder) -> Encoder:
    tokenizer = Tokenizer.from_file(str(smollm2_model.path / "tokenizer.json"))

    def ids(text: str) -> list[int]:
        chat = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
        return list(tokenizer.encode(chat, add_special_tokens=False).ids)

    return ids


def test_answers_belong_to_their_prompts(
    smollm2_engine: VllmEngine, encode: Encoder, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    """Twenty prompts at once; each answer must name its own prompt's animal and colour."""
    properties = {"animal": {"enum": list(ANIMALS)}, "colour": {"enum": list(COLOURS)}}
    schema = json.dumps(
        {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    )
    pairs = list(itertools.product(COLOURS, ANIMALS))
    asked = {}
    for number, (colour, animal) in enumerate(pairs):
        text = f"The {animal} is {colour}. Which animal is it, and what colour? Answer in JSON."
        asked[f"p{number}"] = make_prompt(f"p{number}", encode(text), 60, schema)
        smollm2_engine.submit(asked[f"p{number}"])
    answers = collect_all(smollm2_engine, len(pairs))
    assert answers.keys() == asked.keys()
    n_right = 0
    for number, (colour, animal) in enumerate(pairs):
        generation = answers[f"p{number}"]
        assert generation.finish_reason is FinishReason.STOP
        assert generation.n_prompt_tokens == len(asked[f"p{number}"].token_ids)
        assert 0 < generation.n_output_tokens <= 60
        assert generation.duration_s > 0
        n_right += json.loads(generation.text) == {"animal": animal, "colour": colour}
    assert n_right >= 12  # a small model errs; answers given to other prompts would be right once in twenty


def test_a_bad_prompt_is_refused_alone(
    smollm2_engine: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    window = 8192
    prompts = [
        make_prompt("good", list(range(50, 90))),
        make_prompt("too long", [50] * (window + 1)),
        make_prompt("no room to answer", [50] * (window - 99)),
        make_prompt("no tokens", []),
        make_prompt("no such token", [49_152]),
        make_prompt("negative token", [-1]),
        make_prompt("no such type", [50] * 9, schema='{"type": "number-ish"}'),
        make_prompt("not enforceable", [50] * 9, schema='{"type": "object", "if": {}, "then": {}}'),
        make_prompt("no JSON", [50] * 9, schema="{"),
        make_prompt("good too", list(range(90, 50, -1))),
    ]
    for prompt in prompts:
        smollm2_engine.submit(prompt)
    answers = collect_all(smollm2_engine, len(prompts))
    for prompt_id, generation in answers.items():
        if prompt_id.startswith("good"):
            assert generation.finish_reason is FinishReason.STOP
            assert json.loads(generation.text).keys() == {"title", "n"}
        else:
            assert generation.finish_reason is FinishReason.REFUSED, prompt_id
            assert generation.text == ""
            assert len(generation.error) > 10
    assert "8193 tokens, the context window has 8192" in answers["no room to answer"].error


def test_the_last_token_of_the_window_is_used(
    smollm2_engine: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    smollm2_engine.submit(make_prompt("full", [50 + i % 999 for i in range(8192 - 100)], 100))
    (generation,) = collect_all(smollm2_engine, 1).values()
    assert generation.finish_reason is FinishReason.STOP
    assert generation.n_prompt_tokens == 8092


def test_too_few_tokens_end_in_length(
    smollm2_engine: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    smollm2_engine.submit(make_prompt("short", list(range(50, 90)), 3))
    generation = collect_all(smollm2_engine, 1)["short"]
    assert generation.finish_reason is FinishReason.LENGTH
    assert generation.n_output_tokens == 3
    assert generation.text.startswith("{")


def test_the_document_is_computed_once_for_two_tasks(
    smollm2_engine: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    document = [100 + i * 7 % 5000 for i in range(1500)]
    smollm2_engine.submit(make_prompt("one", [*document, *range(50, 60)]))
    smollm2_engine.submit(make_prompt("two", [*document, *range(60, 70)]))
    answers = collect_all(smollm2_engine, 2)
    assert max(generation.n_cached_tokens for generation in answers.values()) >= 1400


def test_the_same_id_twice_in_flight_is_refused_at_once(
    smollm2_engine: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    smollm2_engine.submit(make_prompt("twice", list(range(50, 90))))
    with pytest.raises(ValueError, match="in flight"):
        smollm2_engine.submit(make_prompt("twice", list(range(50, 90))))
    collect_all(smollm2_engine, 1)
    smollm2_engine.submit(make_prompt("twice", list(range(50, 90))))
    collect_all(smollm2_engine, 1)


def test_nothing_in_flight_gives_nothing(smollm2_engine: VllmEngine) -> None:
    assert smollm2_engine.collect(0.0) == []
    assert smollm2_engine.window >= 16


def test_it_describes_what_runs(smollm2_engine: VllmEngine, smollm2_model: ModelFolder) -> None:
    facts = smollm2_engine.describe()
    assert facts["kind"] == "vllm"
    assert facts["model_identity"] == smollm2_model.identity
    assert facts["structured_outputs"] == "guidance"
    assert facts["vllm"].startswith("0.")
    assert all(isinstance(value, str) and value for value in facts.values())


def test_an_unknown_option_is_named_with_its_neighbours(tiny_model: ModelFolder, make_settings: SettingsMaker) -> None:
    engine = VllmEngine(make_settings(tiny_model, options={"tensor_paralel_size": 2}))
    with pytest.raises(JobError, match="tensor_parallel_size"):
        engine.start()
    engine.close()


def test_a_model_that_cannot_be_loaded_says_why(
    tiny_model: ModelFolder, make_settings: SettingsMaker, tmp_path: Path
) -> None:
    config = json.loads((tiny_model.path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchModel"]}))
    settings = make_settings(tiny_model, model_path=tmp_path)
    engine = VllmEngine(settings)
    with pytest.raises(EngineError, match="NoSuchModel") as caught:
        engine.start()
    assert str(settings.log_path) in str(caught.value)


def test_before_start_there_is_nothing_to_ask(
    tiny_model: ModelFolder, make_settings: SettingsMaker, make_prompt: PromptMaker
) -> None:
    engine = VllmEngine(make_settings(tiny_model))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="not started"):
        engine.submit(make_prompt("p", [50]))
    assert engine.window >= 1


@pytest.fixture(scope="module")
def mistreated(tiny_model: ModelFolder, make_settings: SettingsMaker) -> Iterator[VllmEngine]:
    """A tiny engine with little patience; the tests that use it run in the order written."""
    engine = VllmEngine(make_settings(tiny_model, request_timeout_s=6.0, stall_timeout_s=20.0))
    engine.start()
    yield engine
    engine.close()


def test_a_slow_prompt_times_out_alone(
    mistreated: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    mistreated.submit(make_prompt("slow", [50 + i % 40_000 for i in range(130_000)]))
    slow = collect_all(mistreated, 1)["slow"]
    assert slow.finish_reason is FinishReason.TIMEOUT
    assert "6 s" in slow.error
    mistreated.submit(make_prompt("quick", list(range(50, 90))))
    assert collect_all(mistreated, 1)["quick"].finish_reason is FinishReason.STOP


def test_a_hung_engine_is_found_and_ended(mistreated: VllmEngine, make_prompt: PromptMaker) -> None:
    """Even when every prompt times out before the watchdog's time: a time-out proves nothing about the engine."""
    core = _find_core()
    os.kill(core.pid, signal.SIGSTOP)
    mistreated.submit(make_prompt("a", list(range(50, 90))))
    reasons = []
    with pytest.raises(EngineError, match="no step"):
        for _ in range(120):
            reasons += [generation.finish_reason for generation in mistreated.collect(1.0)]
    assert reasons == [FinishReason.TIMEOUT]
    psutil.wait_procs([core], timeout=10)
    assert not core.is_running() or core.status() == psutil.STATUS_ZOMBIE


def test_a_killed_engine_is_found_at_once_and_can_start_again(
    mistreated: VllmEngine, make_prompt: PromptMaker, collect_all: Collector
) -> None:
    mistreated.close()
    mistreated.start()
    mistreated.submit(make_prompt("alive", list(range(50, 90))))
    assert collect_all(mistreated, 1)["alive"].finish_reason is FinishReason.STOP
    mistreated.submit(make_prompt("lost", [50] * 60_000))
    time.sleep(0.5)
    _find_core().kill()
    killed_at = time.monotonic()
    with pytest.raises(EngineError, match="died"):
        for _ in range(60):
            assert mistreated.collect(1.0) == []
    assert time.monotonic() - killed_at < 5
    mistreated.close()
    assert not [child for child in psutil.Process().children(recursive=True) if "Worker" in child.name()][1:]


def _find_core() -> psutil.Process:
    """The youngest EngineCore: the session's own engine is older."""
    cores = [child for child in psutil.Process().children() if "EngineCore" in "".join(child.cmdline())]
    return max(cores, key=lambda process: process.create_time())


DRIVER = Path(__file__).with_name("driver.py")


@pytest.fixture
def driver(tiny_model: ModelFolder, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process with a tiny engine, in which any connection to another machine is noted and refused."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(DRIVER.parent / "offline"), str(DRIVER.parents[2])]),
        "CONNECTIONS_FILE": str(tmp_path / "connections.txt"),
    }
    for name in ("VLLM_HOST_IP", "HF_HUB_OFFLINE", "VLLM_LOGGING_CONFIG_PATH"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-W", "default", str(DRIVER), str(tiny_model.path), str(tmp_path / "vllm.log")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    process.kill()
    process.communicate()


def test_131_000_tokens_offline_and_in_silence(driver: subprocess.Popen[str], tmp_path: Path) -> None:
    """One long prompt in a process of its own: valid JSON, no connection to the outside, not a word on the terminal."""
    stdout, stderr = driver.communicate(timeout=560)
    assert stderr == ""
    assert driver.returncode == 0
    answer = json.loads(stdout)  # the driver's one line; anything of vLLM's would break it
    assert answer["finish_reason"] == "stop"
    assert answer["n_prompt_tokens"] == 130_900
    assert json.loads(answer["text"]).keys() == {"title", "n"}
    connections = (tmp_path / "connections.txt").read_text().splitlines()
    assert len([line for line in connections if line.startswith("loaded")]) >= 3  # driver, core and worker were watched
    assert [line for line in connections if not line.startswith("loaded")] == []
    log = (tmp_path / "vllm.log").read_text()
    assert "EngineCore" in log
    assert "Worker" in log


def test_a_killed_driver_leaves_nothing(driver: subprocess.Popen[str]) -> None:
    """SIGKILL gives the driver no chance; its engine's processes, caught while they load, must go all the same."""
    parent = psutil.Process(driver.pid)
    deadline = time.monotonic() + 200
    family: list[psutil.Process] = []
    while not any(process.ppid() != driver.pid for process in family):  # until the core has a worker
        assert time.monotonic() < deadline
        time.sleep(0.2)
        family = parent.children(recursive=True)
    time.sleep(1)
    family = parent.children(recursive=True)
    assert len(family) >= 3
    driver.kill()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []
