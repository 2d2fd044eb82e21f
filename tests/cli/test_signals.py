"""What signals do to the process itself: the third ends one that hangs while it ends, and none spoils an exit code."""

import signal
import subprocess
import sys
import time

import pytest

START = """
import time
from pipeline.cli.signals import StopNowError, drain_on_signals, ignore_signals, interrupt_on_signals
from pipeline.flow.stop import Stop
interrupt_on_signals()
stop = Stop()
drain_on_signals(stop)
def hang():
    print("hangs", flush=True)
    time.sleep(60)
"""
HANGS = """
try:
    hang()
except StopNowError as error:
    print(stop.reason, error, flush=True)
    hang()
"""
DONE = """
ignore_signals()
print("hangs", flush=True)
time.sleep(1)
"""


def python(code: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", START + code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_third_signal_ends_a_run_that_hangs_while_it_ends() -> None:
    with python(HANGS) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "hangs\n"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            running.send_signal(number)
            time.sleep(0.6)
        out, err = running.communicate(timeout=10)
    assert running.returncode == 75
    assert out == "SIGINT SIGTERM\nhangs\n"
    assert err == "SIGINT: finishing what is in flight, then committing; again to stop at once\n"


COMMITTED = """
stop.is_committed = True
print("ends", flush=True)
time.sleep(2)
print(stop.reason)
"""


def test_two_signals_do_not_stop_a_run_that_has_committed_and_ends_its_engine() -> None:
    with python(COMMITTED) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ends\n"
        for number in (signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
            time.sleep(0.6)
        out, err = running.communicate(timeout=10)
    assert (running.returncode, out) == (0, "None\n")
    assert err == "SIGINT: all is committed; ending the engine\nSIGTERM: all is committed; ending the engine\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_finished_command_is_not_ended_by_a_signal(number: int) -> None:
    with python(DONE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "hangs\n"
        running.send_signal(number)
        out, err = running.communicate(timeout=10)
    assert (running.returncode, out, err) == (0, "", "")
