"""What a talkative engine's log is written by, and read for."""

import multiprocessing
import os
import signal
import threading
import time
import warnings
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from pipeline.engines.chatter import children_write_to, find_first_error, warnings_write_to


def speak(word: str) -> None:
    print(word, flush=True)


def start_another_and_wait(family: Connection) -> None:
    """What an engine's process does: start a process of its own, and wait for orders."""
    worker: BaseProcess | None = None
    if multiprocessing.parent_process() is not None and "worker" not in multiprocessing.current_process().name:
        context = multiprocessing.get_context("spawn")
        worker = context.Process(target=start_another_and_wait, args=(family,), name="worker", daemon=True)
        worker.start()
    family.send(os.getpid())
    time.sleep(60)


def test_ctrl_c_is_not_for_the_engines_processes(tmp_path: Path) -> None:
    """A terminal's SIGINT goes to all processes of a group; this one answers it itself, the others live on."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    core = multiprocessing.get_context("spawn").Process(target=start_another_and_wait, args=(sender,), name="core")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with (tmp_path / "log").open("w") as log, children_write_to(log, lambda _: None):
        core.start()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    pids = [receiver.recv(), receiver.recv()]
    assert core.pid in pids
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.5)
    for pid in pids:
        os.kill(pid, 0)  # still there
    assert (tmp_path / "log").read_text() == ""
    core.terminate()  # which ends its daemons too late: they are ended here
    core.join(10)
    assert core.exitcode == -signal.SIGTERM
    os.kill(next(pid for pid in pids if pid != core.pid), signal.SIGKILL)
    core.close()
    receiver.close()
    sender.close()


def test_only_this_threads_children_speak_into_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("spawn")
    mine = context.Process(target=speak, args=("mine",))
    theirs = context.Process(target=speak, args=("theirs",))
    born: list[int] = []
    with (tmp_path / "log").open("w") as log:
        with children_write_to(log, born.append):
            mine.start()
            thread = threading.Thread(target=theirs.start)
            thread.start()
            thread.join()
            speak("parent")
        mine.join()
        theirs.join()
        speak("after")
    assert born == [mine.pid]
    assert (tmp_path / "log").read_text() == "mine\n"
    assert sorted(capfd.readouterr().out.split()) == ["after", "parent", "theirs"]
    mine.close()
    theirs.close()


def test_warnings_go_to_the_log_and_do_not_raise(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, warnings_write_to(log):
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old thing" in (tmp_path / "log").read_text()
    with pytest.raises(UserWarning):
        warnings.warn("errors again", UserWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("INFO all is well\n  raise ValueError: not the start of a line\n", ""),
        ("Traceback\n  File x\nOSError: no such weights\nRuntimeError: core failed\n", "OSError: no such weights"),
        ("(EngineCore pid=7) torch.OutOfMemoryError: 3 GiB\n", "torch.OutOfMemoryError: 3 GiB"),
        ("(EngineCore pid=7) ERROR 11-22 10:00:00 [core.py:9] ValueError: too long\n", "ValueError: too long"),
    ],
)
def test_the_first_error_of_a_log_is_the_cause(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "log").write_text("KeyError: of an earlier run\n" + text)
    assert find_first_error(tmp_path / "log", len("KeyError: of an earlier run\n")) == found
    assert find_first_error(tmp_path / "absent", 0) == ""
