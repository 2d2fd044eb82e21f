"""Kill a process before any one of its steps on the disk, as a power switch would.

`steps_wrapped(k)` counts what this process does to the file system from then on and sends itself SIGKILL right before
step k. Called with ever larger k until the work survives, it visits every state that a killed process can leave.
A process started by others takes the same orders from its environment: see `wrap_from_environment`.
"""

import io
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILL_AT = "PIPELINE_TEST_KILL_AT_STEP"
KILL_BELOW = "PIPELINE_TEST_KILL_BELOW"

_STEPS = ("fsync", "rename", "replace", "mkdir", "rmdir", "unlink", "remove", "link", "symlink", "truncate")


def steps_wrapped(
    kill_at: int | None,
    below: Path | None = None,
    log: list[str] | None = None,
    counts: Callable[[], bool] = lambda: True,
    last_words: Callable[[str], None] = lambda step: None,
) -> None:
    """Wrap every step on the disk of this process, for good: call it in a process that is there to die.

    Args:
        kill_at: The step, from 0, before which the process dies; None: count and log only.
        below: Only steps on files below this folder count; None: all.
        log: Gets one entry for each step, such as "rename a/b c".
        counts: Asked before each step whether it counts.
        last_words: Told the step before which the process dies, in the words of the log.
    """
    n_steps = 0

    def step(name: str, *paths: str) -> None:
        nonlocal n_steps
        if below is not None and not any(Path(path).is_relative_to(below) for path in paths):
            return
        if not counts():
            return
        said = " ".join([name, *(os.path.relpath(path, below or "/") for path in paths)])
        if n_steps == kill_at:
            last_words(said)
            os.kill(os.getpid(), signal.SIGKILL)
        n_steps += 1
        if log is not None:
            log.append(said)

    for name in _STEPS:
        setattr(os, name, _before(getattr(os, name), name, step))
    _tear_writes(step)


def wrap_from_environment() -> None:
    """Die as the environment says: `PIPELINE_TEST_KILL_AT_STEP`, only below `PIPELINE_TEST_KILL_BELOW` if it is set.

    Both are taken out of the environment, so the processes that this one starts are spared.
    """
    kill_at, below = os.environ.pop(KILL_AT, None), os.environ.pop(KILL_BELOW, None)
    if kill_at is not None:
        steps_wrapped(int(kill_at), Path(below) if below else None)


def survives(action: Callable[[], object], kill_at: int, below: Path) -> bool:
    """Do it in a forked child that dies before step `kill_at`; returns whether it got to the end first.

    Raises:
        AssertionError: The action raised something; its traceback is on stderr.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            steps_wrapped(kill_at, below)
            action()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}, f"the child ended with {status} before step {kill_at}"
    return status == 0


def logged_steps(action: Callable[[], object], below: Path) -> list[str]:
    """What an action does to the disk, in order, found out in a forked child that does it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        log: list[str] = []
        code = 1
        try:
            steps_wrapped(None, below, log)
            action()
            os.write(writing, "\n".join(log).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as said:
        lines = said.read().splitlines()
    assert os.waitpid(child, 0)[1] == 0
    return lines


def _before(call: Callable[..., Any], name: str, step: Callable[..., None]) -> Callable[..., Any]:
    """The call, with a step before it."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        n_paths = 2 if name in {"rename", "replace", "link", "symlink"} else 1
        step(name, *(_full(path, kwargs.get("dir_fd")) for path in args[:n_paths]))
        return call(*args, **kwargs)

    return wrapped


def _full(path: int | str | os.PathLike[str], folder: int | None) -> str:
    """The absolute path of what a call names by a descriptor, or relative to one."""
    if isinstance(path, int):
        return str(Path(f"/proc/self/fd/{path}").readlink())
    if folder is not None:
        return str(Path(f"/proc/self/fd/{folder}").readlink() / path)
    return str(Path(path).absolute())


def _tear_writes(step: Callable[..., None]) -> None:
    """Make `Path.write_text` and `write_bytes` three steps: an empty file, half of it, all of it.

    So too each write to what `Path.open("wb")` gives, where half of it and all of it are two steps.
    """
    open_before = Path.open

    def torn(path: Path, data: bytes) -> int:
        whole = str(path.absolute())
        step("create", whole)
        with io.open(path, "wb") as file:  # noqa: UP020 - so that a wrapped Path.open is left out
            for part in (data[: len(data) // 2], data[len(data) // 2 :]):
                file.flush()
                step("write", whole)
                file.write(part)
        return len(data)

    class TornFile(io.FileIO):
        """Unbuffered, so that what was written before the process died is in the file."""

        def write(self, data: Any) -> int:
            whole = memoryview(data).cast("B")
            for part in (whole[: len(whole) // 2], whole[len(whole) // 2 :]):
                step("write", str(Path(str(self.name)).absolute()))
                super().write(part)
            return len(whole)

    def write_text(self: Path, data: str, encoding: str = "utf-8", errors: str = "strict") -> int:
        return torn(self, data.encode(encoding, errors))

    def open_torn(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return TornFile(str(self), "w") if mode == "wb" else open_before(self, mode, *args, **kwargs)

    Path.write_text = write_text  # type: ignore[method-assign,assignment]
    Path.write_bytes = torn  # type: ignore[method-assign,assignment]
    Path.open = open_torn  # type: ignore[method-assign]
