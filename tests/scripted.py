"""Recordings of answers that a test chose, for the replay engine: the prompts are the job's own, to the last id."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from pipeline.engines.engine import Generation
from pipeline.engines.replay import RecordingEngine
from pipeline.errors import Reject
from pipeline.flow.intake import iter_ready
from pipeline.flow.plan import build_plan
from pipeline.job import Job
from pipeline.prompts.prompt import Prompt

Answer = Callable[[Prompt], Generation]


class ScriptedEngine:
    """An engine whose answers are a function of the prompt."""

    window = 1

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
    for ready in iter_ready(plan.entries, plan.read_limits, plan.maker):
        if not isinstance(ready, Reject):
            for chunk in ready.chunks:
                for prompt in plan.maker.prompts(chunk):
                    engine.submit(prompt)
                    engine.collect(0)
    engine.close()
