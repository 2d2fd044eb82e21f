"""What a signal means: a run that is asked to end ends well, a run that is asked twice ends at once.

Dispositions belong to the process, so there is one owner, the command line. Handlers run between two instructions of
the main thread: they write with `os.write`, never through a buffer that the interrupted code may hold.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import NoReturn

from pipeline.errors import TryAgainError
from pipeline.flow.stop import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_REQUEST_S = 0.5
"""`timeout` and several schedulers signal a process and its group: two signals within this time are one request."""


class InterruptError(BaseException):
    """Somebody asked a command to end. Not KeyboardInterrupt, which the command line library takes for itself."""


class StopNowError(InterruptError):
    """Somebody asked twice for the end of a run."""


def interrupt_on_signals() -> None:
    """From now on a signal raises InterruptError in the main thread. SIGHUP stays ignored under `nohup`."""
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def drain_on_signals(stop: Stop) -> None:
    """From now on the first signal asks `stop`, the second raises StopNowError, the third ends the process.

    Once the run has committed, the first two change nothing: the engine is ended, and the exit code is to arrive. The
    third is for a run that hangs while it ends: it leaves by exit code 75 without another word.
    """
    drain = _Drain(stop)
    for number in _SIGNALS:
        if signal.getsignal(number) == _interrupt:
            signal.signal(number, drain)


def ignore_signals() -> None:
    """From now on signals are ignored: the work is done, and its exit code is to arrive."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise InterruptError(signal.Signals(number).name)


class _Drain:
    """The handler while a run goes on: it counts the requests to end."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._n_requests = 0
        self._last_s = float("-inf")

    def __call__(self, number: int, frame: object) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s < _SAME_REQUEST_S:
            return
        self._last_s = now_s
        self._n_requests += 1
        name = signal.Signals(number).name
        if self._n_requests > 2:
            os._exit(TryAgainError.exit_code)
        if self._stop.is_committed:
            _say(f"{name}: all is committed; ending the engine")
        elif self._n_requests == 1:
            self._stop.ask(name)
            _say(f"{name}: finishing what is in flight, then committing; again to stop at once")
        else:
            raise StopNowError(name)


def _say(text: str) -> None:
    """One line on standard error, below the bars when there are any: they redraw the two lines above the cursor."""
    line = f"\n{text}\n\n" if sys.stderr.isatty() else f"{text}\n"
    try:
        os.write(2, line.encode())
    except OSError:  # the terminal is gone: that is what SIGHUP says
        return
