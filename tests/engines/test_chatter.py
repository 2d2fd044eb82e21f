"""What a talkative engine's log is written by, and read for."""

import multiprocessing
import threading
import warnings
from pathlib import Path

import pytest

from pipeline.engines.chatter import children_write_to, find_first_error, warnings_write_to


def speak(word: str) -> None:
    print(word, flush=True)


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
