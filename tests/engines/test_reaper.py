"""A program that is killed takes what its reaper watches with it: children, and children of children."""

import subprocess
import sys
import time

import psutil
import pytest

PARENT = """
import subprocess, sys, time
from pipeline.engines.reaper import Reaper
stubborn = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {}; time.sleep(600)"
grandchild = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
reaper = Reaper()
{beginning}
child = subprocess.Popen([sys.executable, "-c", stubborn.format(grandchild)])
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
reaper.watch(child.pid)
reaper.watch(2 ** 22 + 1)  # no such process
print(child.pid, other.pid, flush=True)
{ending}
"""


SUSPENDED = "import psutil; psutil.Process(reaper._child.pid).suspend()"  # before its first line of Python


@pytest.mark.parametrize(
    ("beginning", "ending"),
    [("", "time.sleep(600)"), (SUSPENDED, "time.sleep(600)"), ("", "reaper.dismiss(); time.sleep(600)")],
    ids=["killed", "killed before the reaper began", "dismissed"],
)
def test_the_watched_are_killed_and_nobody_else(beginning: str, ending: str) -> None:
    program = PARENT.replace("{beginning}", beginning).replace("{ending}", ending)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child, other = (psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
        try:
            if "dismiss" not in ending:
                grandchildren = wait_for_children(child)
                family = [child, *grandchildren, *psutil.Process(parent.pid).children()]
                family.remove(other)
                parent.kill()
                parent.wait()
                for process in family:
                    process.resume()
                assert psutil.wait_procs(family, timeout=10)[1] == []  # the reaper ended too
            else:
                assert wait_until_ended(child)
            assert other.status() != psutil.STATUS_ZOMBIE
        finally:
            other.kill()
            parent.kill()


def wait_for_children(process: psutil.Process) -> list[psutil.Process]:
    for _ in range(100):
        if children := process.children():
            return children
        time.sleep(0.1)
    raise AssertionError("the child has no child")


def wait_until_ended(process: psutil.Process) -> bool:
    for _ in range(100):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False
