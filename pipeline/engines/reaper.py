"""A child process that ends the engine's processes when this one is gone.

vLLM's processes watch one another but not their driver: after a SIGKILL (an out-of-memory killer, a scheduler) they
would hold the memory and the cores for ever. The reaper is told their ids as they are born, waits for its parent to
disappear, and then kills them and everything they started.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys

import psutil

_LOOK_S = 0.5


class Reaper:
    """The parent's end."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", __file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C must not reach it
            text=True,
        )

    def watch(self, pid: int) -> None:
        """Have a process and its descendants killed when this process disappears."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed the reaper: nothing to be done about it
            self._child.stdin.write(f"{pid}\n")
            self._child.stdin.flush()

    def dismiss(self) -> None:
        """End the reaper, which kills what is left of what it watches."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        self._child.wait()


def kill_trees(roots: list[psutil.Process]) -> None:
    """SIGKILL processes and all their descendants; those already gone, or whose id now names another, are left."""
    family: list[psutil.Process] = []
    for root in roots:
        with contextlib.suppress(psutil.Error):
            family += [root, *root.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _wait_and_kill(parent: int) -> None:
    """The child's whole life. The end of stdin alone is not enough: another child of the parent may hold the pipe.

    What was written before the parent disappeared is read in any case: the parent may be gone before this one began.
    """
    roots: list[psutil.Process] = []
    unread = b""
    parent_lives = True
    while True:
        if not select.select([0], [], [], _LOOK_S if parent_lives else 0)[0]:
            if not parent_lives:
                break
            parent_lives = os.getppid() == parent
            continue
        received = os.read(0, 4096)
        if not received:
            break
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            with contextlib.suppress(psutil.Error):
                roots.append(psutil.Process(int(line)))
    kill_trees(roots)


if __name__ == "__main__":
    _wait_and_kill(int(sys.argv[1]))
