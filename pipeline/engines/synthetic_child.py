"""The rehearsal engine's process: prompts' keys come in on stdin, answers go out on stdout, one JSON list a line.

In:  ["schema", number, text] once before its first prompt, and ["prompt", number, key, schema, max_tokens, fate, ids];
     the prompt's token ids are [] when nothing is looked for in them.
Out: ["ready"] once, [number, finish reason, text, n_output_tokens, error] for a prompt, and [] as a sign of life.

It ends when its parent is gone, and ignores what a terminal or a scheduler sends to a whole group of processes.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import select
import signal
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.engines.engine import FinishReason
from pipeline.engines.synthetic_orders import Fate, Lens, Pace, Task
from pipeline.engines.synthetic_writer import Writer

if TYPE_CHECKING:
    from pipeline.engines.synthetic_find import Finder

_WATCH_S = 0.5
_ANSWERS_PER_TURN = 64


def serve(pace: Pace, lens: Lens | None) -> None:
    """Answer until stdin ends or the parent is gone; with a lens, from what the prompts show."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=[pace.parent_pid], daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        _Server(pace, _load_finder(lens)).run()
    os._exit(0)  # nobody reads what is still unsaid


def _load_finder(lens: Lens | None) -> Finder | None:
    """What looks into prompts; it needs a tokenizer, which others need not wait for."""
    if lens is None:
        return None
    from pipeline.engines.synthetic_find import Finder

    return Finder(lens)


def _die_with(parent_pid: int) -> None:
    """End when the parent is gone: stdin does not end while another child of the parent happens to hold it."""
    while os.getppid() == parent_pid:
        time.sleep(_WATCH_S)
    os._exit(1)


class _Server:
    def __init__(self, pace: Pace, finder: Finder | None) -> None:
        self._pace, self._finder = pace, finder
        self._out = os.fdopen(os.dup(1), "wb")
        self._unread = b""
        self._writers: dict[int, Writer] = {}
        self._places = [0.0] * pace.n_parallel
        self._running: list[tuple[float, int, Task]] = []
        self._last_sign = 0.0

    def run(self) -> None:
        self._say("ready")
        while self._read(self._idle_s()):
            n_said = 0
            while self._running and self._running[0][0] <= time.monotonic() and n_said < _ANSWERS_PER_TURN:
                self._settle(heapq.heappop(self._running)[2])
                n_said += 1
            if n_said:
                self._flush()
            elif self._running and time.monotonic() - self._last_sign >= self._pace.pulse_s:
                self._say()

    def _idle_s(self) -> float | None:
        """How long there is nothing to do but read; None: until something comes."""
        if not self._running:
            return None
        return max(0.0, min(self._running[0][0] - time.monotonic(), self._pace.pulse_s))

    def _read(self, timeout_s: float | None) -> bool:
        """Take what has come; False at the end."""
        if not select.select([0], [], [], timeout_s)[0]:
            return True
        received = os.read(0, 1 << 16)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            kind, *facts = json.loads(line)
            if kind == "schema":
                self._writers[facts[0]] = Writer(facts[1], self._finder)
            else:
                self._take(Task(facts[0], facts[1], facts[2], facts[3], Fate(facts[4]), tuple(facts[5])))
        return bool(received)

    def _take(self, task: Task) -> None:
        """Give a prompt the place that is free first, or note when it will have waited too long."""
        now = time.monotonic()
        starts = max(now, self._places[0])
        ends, limit = starts + self._pace.latency_s, now + self._pace.request_timeout_s
        if ends > limit:
            ends, task = limit, replace(task, fate=Fate.TIME_OUT)
        if starts < ends or not self._pace.latency_s:
            heapq.heapreplace(self._places, ends)
        heapq.heappush(self._running, (ends, task.number, task))

    def _settle(self, task: Task) -> None:
        match task.fate:
            case Fate.DIE:
                self._flush()
                os.kill(os.getpid(), signal.SIGKILL)
            case Fate.HANG:
                self._flush()
                while os.read(0, 1 << 16):
                    pass
                os._exit(0)
            case Fate.TIME_OUT:
                error = f"no answer within {self._pace.request_timeout_s:g} s"
                self._write(task.number, FinishReason.TIMEOUT, "", 0, error)
            case _:
                self._write(task.number, *self._writers[task.schema].answer(task))

    def _say(self, *facts: object) -> None:
        self._write(*facts)
        self._flush()

    def _write(self, *facts: object) -> None:
        self._out.write(json.dumps(facts).encode() + b"\n")

    def _flush(self) -> None:
        self._out.flush()
        self._last_sign = time.monotonic()
