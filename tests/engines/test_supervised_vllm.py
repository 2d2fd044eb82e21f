"""Real vLLM under supervision: it is interrupted, killed, started again, and stopped while it loads."""

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from pipeline.engines.engine import FinishReason, Generation
from pipeline.engines.settings import EngineSettings
from pipeline.engines.supervised import SupervisedEngine
from pipeline.engines.vllm_offline import VllmEngine
from pipeline.models import ModelFolder
from pipeline.prompts.prompt import Prompt

pytestmark = pytest.mark.engine

PromptMaker = Callable[..., Prompt]
SettingsMaker = Callable[..., EngineSettings]
N_PROMPTS = 10


def test_a_killed_engine_answers_all_and_hears_no_ctrl_c(
    tiny_model: ModelFolder, make_settings: SettingsMaker, make_prompt: PromptMaker
) -> None:
    said: list[str] = []
    engine = SupervisedEngine(VllmEngine(make_settings(tiny_model)), 2, said.append)
    before = _find_family()
    assert engine.start()
    for number in range(N_PROMPTS):
        engine.submit(make_prompt(f"p{number}", [50 + number + index % 9_000 for index in range(6_000)]))
    family = _find_family() - before
    assert len(family) >= 2  # the core and its worker
    for process in family:
        os.kill(process.pid, signal.SIGINT)
    found: list[Generation] = []
    while not found:
        found += engine.collect(1.0)
    assert engine.n_deaths == 0
    _find_core(family).kill()
    while len(found) < N_PROMPTS:
        found += engine.collect(1.0)
    assert engine.n_deaths == 1
    assert {generation.prompt_id for generation in found} == {f"p{number}" for number in range(N_PROMPTS)}
    assert {generation.finish_reason for generation in found} <= {FinishReason.STOP, FinishReason.LENGTH}
    assert len(found) == N_PROMPTS
    assert [sentence[-14:] for sentence in said] == ["restart 1 of 2"]
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 15
    assert _find_family() <= before


def test_a_stop_ends_the_loading(tiny_model: ModelFolder, make_settings: SettingsMaker) -> None:
    """`close` comes from this thread while vLLM is on its way in another; its processes go with it."""
    before = _find_family()
    seen: set[psutil.Process] = set()

    def stopped() -> bool:
        seen.update(_find_family() - before)
        return bool(seen)

    engine = SupervisedEngine(VllmEngine(make_settings(tiny_model)), 2, print, stopped)
    assert engine.start() is False
    assert seen
    assert _find_family() <= before


def _find_family() -> set[psutil.Process]:
    """What lives under this process, but for the reapers and multiprocessing's tracker, which outlives an engine."""
    helpers = ("reaper.py", "resource_tracker")
    commands = {child: _say_command(child) for child in psutil.Process().children(recursive=True)}
    return {child for child, said in commands.items() if said and not any(helper in said for helper in helpers)}


def _find_core(family: set[psutil.Process]) -> psutil.Process:
    (core,) = (process for process in family if "EngineCore" in _say_command(process))
    return core


def _say_command(process: psutil.Process) -> str:
    """What it was started as; "" if it has ended, waited for or not."""
    try:
        return "".join(process.cmdline())
    except psutil.NoSuchProcess:  # of which a zombie is one
        return ""
