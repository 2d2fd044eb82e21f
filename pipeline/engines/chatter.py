"""Where a talkative engine talks: into its log file, not over a progress bar.

Three mouths are turned: the loggers of this process, its Python warnings, and file descriptors 1 and 2 of the processes
it starts. Those processes are also made deaf, to Ctrl-C. Nothing here knows what the engine says.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing.popen_spawn_posix as spawning
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import IO

_FORMAT = "%(asctime)s %(levelname)s [%(processName)s %(process)d] %(name)s: %(message)s"
_LOGGERS = ("vllm", "transformers", "huggingface_hub", "torch", "compressed_tensors")
# vLLM's processes put "(EngineCore pid=1)" before a line, some of its log formats also the place in the source.
_ERROR_LINE = re.compile(r"(?:\([^)]*\) )*(?:ERROR [^\]]*\] )?((?:\w+\.)*\w*(?:Error|Exception)): (\S.*)")
_HEAD_BYTES = 16 << 20


def write_logging_config(log_path: Path, folder: Path) -> Path:
    """Write a `logging.config.dictConfig` file that sends the engine's loggers, in any process, to the log file."""
    handlers = {"file": {"class": "logging.FileHandler", "filename": str(log_path), "formatter": "plain"}}
    loggers = {
        name: {"handlers": ["file"], "level": "INFO" if name == "vllm" else "WARNING", "propagate": False}
        for name in _LOGGERS
    }
    content = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": _FORMAT}},
        "handlers": handlers,
        "loggers": loggers,
    }
    file = folder / "logging.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def turn_loggers(log_path: Path) -> None:
    """Give the engine's loggers of this process the log file as their only handler."""
    handler = logging.FileHandler(log_path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.propagate = False


@contextlib.contextmanager
def warnings_write_to(log: IO[str]) -> Iterator[None]:
    """Send this process's Python warnings to the log, whatever filter is in force."""

    def show(message: Warning | str, category: type[Warning], *place: object) -> None:
        log.write(f"{place[0]}:{place[1]}: {category.__name__}: {message}\n")
        log.flush()

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show  # type: ignore[assignment]  # called by position
        yield


@contextlib.contextmanager
def leaks_unsaid() -> Iterator[None]:
    """Let an engine be freed that leaves its sockets to finalizers, without a ResourceWarning for each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


@contextlib.contextmanager
def children_write_to(log: IO[str], on_birth: Callable[[int], None]) -> Iterator[None]:
    """Have every process that this thread starts through multiprocessing write to the log, and be deaf to SIGINT.

    Only the launch itself, some milliseconds, sees descriptors 1 and 2 turned, so that a progress bar goes on. Other
    threads' children are theirs. A terminal's Ctrl-C reaches all processes of the foreground at once; the engine's, and
    those they start in turn, are to live on until this process has drained and ends them.

    Args:
        log: The open log file.
        on_birth: Told the id of each new process.
    """
    launch, owner = spawning.Popen._launch, threading.get_ident()  # type: ignore[attr-defined]  # private

    def launch_quietly(self: spawning.Popen, process: object) -> None:
        if threading.get_ident() != owner:
            launch(self, process)
            return
        with _descriptors_turned(log.fileno()), _interrupt_blocked():
            launch(self, process)
        on_birth(self.pid)

    spawning.Popen._launch = launch_quietly  # type: ignore[attr-defined]  # private: no hook is offered
    try:
        yield
    finally:
        spawning.Popen._launch = launch  # type: ignore[attr-defined]  # as above


@contextlib.contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Block SIGINT in this thread, and so in what it starts: a signal mask is inherited, also through exec."""
    resource_tracker.ensure_running()  # a launch would start it first, and that unblocks SIGINT on its way
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _descriptors_turned(target: int) -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none (pythonw, a daemon)
            stream.flush()
    kept = {}
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # a daemon may run without them
            kept[descriptor] = os.dup(descriptor)
    try:
        for descriptor in kept:
            os.dup2(target, descriptor)
        yield
    finally:
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def find_first_error(log_path: Path, offset: int) -> str:
    """The first failure a log tells of since a byte offset, such as "ValueError: no such ..."; "" if there is none.

    The first is the cause: what follows it, in the processes above, only passes it on. A line counts when it begins
    with an exception's name, as the last line of a traceback does.
    """
    try:
        with log_path.open("rb") as stream:
            stream.seek(offset)
            text = stream.read(_HEAD_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
    found = next((match for line in text.splitlines() if (match := _ERROR_LINE.match(line))), None)
    return f"{found[1]}: {found[2].strip()}" if found else ""
