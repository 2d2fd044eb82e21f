"""One life of the rehearsal engine, as its driver sees it: the child process, the two pipes to it, and its death.

What the child does is in synthetic_child.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from pipeline.engines.engine import FinishReason, Generation
from pipeline.engines.settings import EngineSettings
from pipeline.engines.synthetic_orders import Fate, Lens, Pace
from pipeline.errors import EngineError
from pipeline.prompts.prompt import Prompt

_START_S = 120.0
_LOOK_S = 0.5
_PULSES = 4
"""Signs of life the child gives in the time after which it would count as hung."""
_RUN = """
import json, sys
pace, lens, sys.path[:] = map(json.loads, sys.argv[1:])
from pipeline.engines.synthetic_child import serve
from pipeline.engines.synthetic_orders import Lens, Pace
serve(Pace(**pace), Lens(**lens) if lens else None)
"""
"""What a child runs: nothing of the parent's main module, and found wherever the parent found this package."""


@dataclasses.dataclass(frozen=True, slots=True)
class _InFlight:
    prompt_id: str
    n_tokens: int
    since: float


class SyntheticLife:
    """One child, from start to end. What its pipe does not take at once is kept, so that nothing here waits for it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._process = _start_child(settings)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._into, False)
        os.set_blocking(self._from, False)
        self._unsent, self._unread = bytearray(), b""
        self._schemas: dict[str, int] = {}
        self._in_flight: dict[int, _InFlight] = {}
        self._ids: set[str] = set()
        self._refused: list[Generation] = []
        self._n_submitted = 0
        self._is_ready = self._has_ended = False
        self._death: EngineError | None = None
        self._last_sign = time.monotonic()

    def wait_until_ready(self) -> None:
        """Return when the child answers; EngineError when it ended instead, or said nothing for _START_S seconds."""
        deadline = time.monotonic() + _START_S
        while not self._is_ready:
            self._receive(_LOOK_S)
            if self._has_ended or time.monotonic() > deadline:
                self._kill()
                code = self._process.returncode
                raise EngineError(f"the synthetic engine did not start ({_say(code)}); see {self._settings.log_path}")

    def submit(self, prompt: Prompt, key: str, fate: Fate) -> None:
        """Send a prompt to its fate; ValueError when its id is in flight."""
        if prompt.prompt_id in self._ids:
            raise ValueError(f"prompt {prompt.prompt_id!r} is in flight already")
        now = time.monotonic()
        if not self._in_flight:
            self._last_sign = now
        self._ids.add(prompt.prompt_id)
        n_needed, n_window = len(prompt.token_ids) + prompt.max_tokens, self._settings.context_window
        if n_needed > n_window:
            error = f"prompt and answer need {n_needed} tokens, the context window has {n_window}"
            self._refused.append(Generation(prompt.prompt_id, "", FinishReason.REFUSED, error=error))
            return
        self._n_submitted += 1
        self._in_flight[self._n_submitted] = _InFlight(prompt.prompt_id, len(prompt.token_ids), now)
        schema = self._schemas.get(prompt.decoder_schema)
        if schema is None:
            schema = self._schemas[prompt.decoder_schema] = len(self._schemas)
            self._send("schema", schema, prompt.decoder_schema)
        shown = [] if self._settings.synthetic.find is None else list(prompt.token_ids)
        self._send("prompt", self._n_submitted, key, schema, prompt.max_tokens, fate, shown)
        self._flush()

    def collect(self, timeout_s: float) -> list[Generation]:
        """As the engine's: a death is raised when the last generation before it has been given."""
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = 0.0 if self._refused else max(0.0, min(_LOOK_S, deadline - time.monotonic()))
            generations = self._refused + self._receive(wait_s)
            self._refused = []
            self._ids.difference_update(generation.prompt_id for generation in generations)
            if generations:
                return generations
            self._check_life()
            if time.monotonic() >= deadline:
                return []

    def end(self) -> None:
        """Kill the child."""
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _check_life(self) -> None:
        silent_s, log_path = time.monotonic() - self._last_sign, self._settings.log_path
        if self._has_ended and self._death is None:
            self._kill()
            self._death = EngineError(f"the synthetic engine died ({_say(self._process.returncode)}); see {log_path}")
        elif self._death is None and self._in_flight and silent_s > self._settings.stall_timeout_s:
            self._kill()
            self._death = EngineError(f"the synthetic engine made no progress for {silent_s:.1f} s and was ended")
        if self._death is not None:
            raise self._death

    def _send(self, *message: object) -> None:
        self._unsent += json.dumps(message).encode() + b"\n"

    def _flush(self) -> None:
        """Write what the pipe takes now."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self._into, self._unsent[: 1 << 16])]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent.clear()  # it is dead, which `collect` will find

    def _receive(self, timeout_s: float) -> list[Generation]:
        """All generations that are there; waits for something to happen, not always a generation."""
        poll = select.poll()
        poll.register(self._from, select.POLLIN)
        if self._unsent:
            poll.register(self._into, select.POLLOUT)
        poll.poll(timeout_s * 1000)
        self._flush()
        received = bytearray()
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._from, 1 << 16):
                received += chunk
            self._has_ended = True
        if received:
            self._last_sign = time.monotonic()
        *lines, self._unread = (self._unread + received).split(b"\n")
        return [generation for line in lines if (generation := self._understand(json.loads(line)))]

    def _understand(self, message: list[Any]) -> Generation | None:
        """The generation a message carries; others carry none."""
        if len(message) < 2:
            self._is_ready |= message == ["ready"]
            return None
        number, reason, text, n_output_tokens, error = message
        asked = self._in_flight.pop(number)
        reason = FinishReason(reason)
        ran = reason in (FinishReason.STOP, FinishReason.LENGTH)
        return Generation(
            prompt_id=asked.prompt_id,
            text=text,
            finish_reason=reason,
            n_prompt_tokens=asked.n_tokens if ran else 0,
            n_output_tokens=n_output_tokens,
            duration_s=time.monotonic() - asked.since,
            error=error,
        )


def _start_child(settings: EngineSettings) -> subprocess.Popen[bytes]:
    section = settings.synthetic
    pace = Pace(
        parent_pid=os.getpid(),
        latency_s=section.latency_s,
        n_parallel=section.n_parallel,
        request_timeout_s=settings.request_timeout_s,
        pulse_s=min(1.0, settings.stall_timeout_s / _PULSES),
    )
    lens = None
    if section.find is not None:
        lens = Lens(section.find, str(settings.model_path), settings.model_name)
    arguments = [json.dumps(fact) for fact in (dataclasses.asdict(pace), lens and dataclasses.asdict(lens), sys.path)]
    try:
        with settings.log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", _RUN, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,  # a terminal's Ctrl-C must not reach it
            )
    except OSError as exc:
        raise EngineError(f"cannot start the synthetic engine with its log {settings.log_path}: {exc}") from exc


def _say(code: int | None) -> str:
    """An exit status in words."""
    if code is None or code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
