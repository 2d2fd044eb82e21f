"""The child process of `process`: takes tasks from its connection, reads under limits, gives results back.

It is a fresh interpreter that imports what the `read` function needs and nothing else. It dies by SIGALRM when a
task takes too long, and by itself when its parent is gone.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.errors import RejectCode
from pipeline.readers.limits import build_reject
from pipeline.readers.parts import Part, Read, Reading, Task

_WATCH_S = 0.5
_MIB = 1 << 20
_NICENESS = 10
"""Where the model runs on this machine's processors it comes first: what is not read yet, it does not wait for."""
_GARBAGE_AFTER = 50_000
"""Objects after which rings of garbage are looked for. A PDF is made of hundreds of thousands, hardly ever in rings:
by default a tenth of pypdf's time goes into looking."""


def serve(settings: dict[str, Any]) -> None:
    """Do tasks until the parent closes the connection, is gone, or the child has read its share.

    Args:
        settings: From `process`: fd, parent_pid, memory_mb, n_tasks, read (module and function name).
    """
    threading.Thread(target=_die_with, args=[settings["parent_pid"]], daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    os.nice(_NICENESS)
    gc.set_threshold(_GARBAGE_AFTER)
    module, name = settings["read"]
    read = getattr(importlib.import_module(module), name)
    limit_bytes = settings["memory_mb"] * _MIB
    # Private writable memory only: shared libraries and mapped files cost nothing, so small limits stay usable.
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(settings["fd"])
    connection.send("ready")
    for n_left in reversed(range(settings["n_tasks"])):
        try:
            task, timeout_s = connection.recv()
        except EOFError:
            return
        start_s = time.monotonic()
        result = _read_limited(read, task, timeout_s, settings["memory_mb"])
        retires = n_left == 0 or _data_bytes() > limit_bytes // 2
        connection.send((result, time.monotonic() - start_s, retires))
        if retires:
            return


def _read_limited(read: Read, task: Task, timeout_s: float, memory_mb: int) -> Reading:
    """One task. The kernel's timer ends the process, whatever it does then, when the time is over."""
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        return read(task)
    except MemoryError:
        source = task.source if isinstance(task, Part) else task
        return build_reject(source, RejectCode.READ_MEMORY, f"Reading needed more than {memory_mb} MiB of memory.")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _data_bytes() -> int:
    """The private memory that counts against the limit: a child that holds much of it would fail the next document."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    except OSError:
        return 0


def _die_with(parent_pid: int) -> None:
    """End when the parent is gone. Not PR_SET_PDEATHSIG, which fires when the parent's thread that started us ends."""
    while os.getppid() == parent_pid:
        time.sleep(_WATCH_S)
    os._exit(1)
