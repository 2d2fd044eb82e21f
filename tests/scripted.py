"""Recordings of answers that a test chose, for the replay engine: the prompts are the job's own, to the last id."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.engines.engine import Generation
from pipeline.engines.replay import RecordingEngine
from pipeline.flow.intake import Intake, ReadyDocument
from pipeline.flow.plan import Plan, build_plan
from pipeline.flow.standing import Standing
from pipeline.job import Job
from pipeline.prompts.prompt import Prompt
from pipeline.tables.state import load_state

Answer = Callable[[Prompt], Generation]


class ScriptedEngine:
    """An engine whose answers are a function of the prompt."""

    window = 1
    window_tokens: int | None = None

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._ready: list[Generation] = []

    def describe(self) -> dict[str, str]:
        return {"kind": "scripted"}

    def start(self) -> None:
        return None

    def submit(self, prompt: Prompt) -> None:
        answer = self._answer(prompt)
        counted = len(prompt.token_ids) if answer.text else 0
        self._ready.append(dataclasses.replace(answer, prompt_id=prompt.prompt_id, n_prompt_tokens=counted))

    def collect(self, timeout_s: float) -> list[Generation]:
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> None:
        return None


def record_answers(job: Job, answer: Answer) -> None:
    """Write the job's recording: for each of its prompts what `answer` gives."""
    assert job.engine.recording is not None
    plan = build_plan(job)
    settings = plan.engine_settings(Path())
    engine = RecordingEngine(ScriptedEngine(answer), job.project / job.engine.recording, settings)
    for prompt in iter_prompts(plan):
        engine.submit(prompt)
        engine.collect(0)
    engine.close()


def iter_prompts(plan: Plan) -> Iterator[Prompt]:
    """Every first attempt of a plan, as a run in an empty folder would ask."""
    standing = Standing(load_state(Path("nowhere")), plan.components, None, frozenset())
    for item in Intake(plan.entries, standing, lambda source: None, plan.read_limits, plan.maker).items():
        if isinstance(item, ReadyDocument):
            for chunk in item.chunks:
                yield from plan.maker.prompts(chunk)
