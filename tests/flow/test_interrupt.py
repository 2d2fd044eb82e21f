"""A run that is asked to end commits what is whole and says what is left; asked twice, it ends at once.

The next start does the rest, either way. The engine is the rehearsal engine, slowed down.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from made_pdf import long_pdf

from pipeline.tables.current import list_runs, load_current

JOB = """
name = "nightly"
[input]
paths = ["in"]
[[tasks]]
name = "contract"
instructions = "Who signed?"
schema = "contract.json"
[engine]
kind = "synthetic"
synthetic = { latency_s = 0.25, n_parallel = 2 }
[journal]
max_answers = 1
[output]
folder = "out"
"""
N_DOCUMENTS = 40


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Forty small documents, answered two at a time."""
    (tmp_path / "in").mkdir()
    for number in range(N_DOCUMENTS):
        (tmp_path / "in" / f"{number:02d}.txt").write_text(f"Contract {number}, signed by Ann and Bob.")
    schema = {"type": "object", "properties": {"signed": {"type": "string", "maxLength": 20}}}
    (tmp_path / "contract.json").write_text(json.dumps(schema))
    (tmp_path / "nightly.toml").write_text(JOB)
    return tmp_path / "nightly.toml"


def start(job: Path, *words: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    command = [*prefix, sys.executable, "-m", "pipeline", "run", str(job), *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=job.parent
    )


def finish(running: "subprocess.Popen[str]", timeout_s: float = 60) -> tuple[str, str]:
    """Its words, and the promise that it left no process behind and no traceback."""
    out, err = running.communicate(timeout=timeout_s)
    assert "Traceback" not in out + err
    for _ in range(100):
        left = [process for process in psutil.process_iter() if _session(process) == running.pid]
        if not left:
            return out, err
        time.sleep(0.05)
    raise AssertionError(f"left behind: {left}")


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (ProcessLookupError, psutil.Error):
        return None


def wait_until(running: "subprocess.Popen[str]", come: Callable[[], bool]) -> None:
    for _ in range(1200):
        if come():
            return
        assert running.poll() is None, running.communicate()
        time.sleep(0.025)
    raise AssertionError("it did not come")


def answers(job: Path) -> int:
    return len(list((job.parent / "out" / "journal" / "answers").glob("[!.]*.parquet")))


def complete(job: Path, *words: str) -> dict[str, int]:
    """Start again, to the end; returns the counts."""
    running = start(job, "--json", "--set", "engine.synthetic.latency_s=0", *words)
    out, err = finish(running)
    assert running.returncode == 0, err
    report = json.loads(out)
    counts: dict[str, int] = report["counts"]
    return counts


def n_rows(job: Path) -> int:
    """Current rows of the output folder."""
    return load_current(job.parent / "out", list_runs(job.parent / "out"))["records/contract"].n_rows


@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGTERM, os.kill), (signal.SIGHUP, os.kill), (signal.SIGINT, os.killpg)],  # a terminal signals the group
)
def test_a_run_that_is_asked_to_end_commits_what_is_whole(
    job: Path, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    running = start(job)
    wait_until(running, lambda: answers(job) >= 3)
    send(running.pid, number)
    out, err = finish(running)
    assert running.returncode == 75, err
    assert f"{number.name}: finishing what is in flight, then committing; again to stop at once\n" in err
    said = re.match(rf"stopped \({number.name}\): (\d+) documents? committed, (\d+) left for the next start\n", out)
    assert said, out
    n_committed, n_left = map(int, said.groups())
    assert n_committed >= 3
    assert n_left > 0
    assert n_committed + n_left == N_DOCUMENTS
    assert n_rows(job) == n_committed
    if number == signal.SIGTERM:
        counts = complete(job)
        assert counts["unchanged"] == n_committed
        assert counts["documents"] == n_left
        assert n_rows(job) == N_DOCUMENTS


def test_asked_twice_it_ends_at_once_and_keeps_the_journal(job: Path) -> None:
    running = start(job, "--set", "engine.synthetic.latency_s=2", "--set", "engine.synthetic.n_parallel=20")
    wait_until(running, lambda: answers(job) >= 20)  # the first twenty; the others are in flight for two seconds
    running.send_signal(signal.SIGTERM)
    time.sleep(0.6)
    running.send_signal(signal.SIGINT)
    out, err = finish(running)
    assert running.returncode == 75
    assert out == ""
    assert "stopped at once: this run committed nothing" in err
    assert not list((job.parent / "out" / "runs").glob("*"))
    assert not list((job.parent / "out" / "records").rglob("*.parquet"))
    counts = complete(job, "--set", "engine.synthetic.n_parallel=20")
    assert counts["reused"] >= 20
    assert counts["documents"] == N_DOCUMENTS


def test_signals_that_come_together_are_one_request(job: Path) -> None:
    """`timeout` signals the process and then its group, and so do some schedulers."""
    running = start(job)
    wait_until(running, lambda: answers(job) >= 1)
    for _ in range(5):
        running.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    out, err = finish(running)
    assert running.returncode == 75
    assert out.startswith("stopped (SIGTERM): ")
    assert err.count("again to stop at once") == 1


def test_under_nohup_a_closed_terminal_ends_nothing(job: Path) -> None:
    running = start(job, "--limit", "10", prefix=("nohup",))
    wait_until(running, lambda: answers(job) >= 1)
    running.send_signal(signal.SIGHUP)
    out, err = finish(running)
    assert running.returncode == 0, err
    assert out.startswith("complete: 10 documents committed")


def test_the_time_limit_ends_a_run_in_time(job: Path) -> None:
    started_s = time.monotonic()
    running = start(job, "--time-limit", "6s", "--set", "engine.synthetic.latency_s=2")  # without a limit: 40 s
    out, err = finish(running)
    assert running.returncode == 75, err
    assert time.monotonic() - started_s < 15
    said = re.match(r"stopped \(time limit of 6s\): (\d+) documents? committed, (\d+) left", out)
    assert said, out
    assert sum(map(int, said.groups())) == N_DOCUMENTS


def test_a_time_limit_that_is_over_at_once_asks_nothing(job: Path) -> None:
    running = start(job, "--time-limit", "1s", "--json")
    out, err = finish(running)
    assert running.returncode == 75, err
    counts = json.loads(out)["counts"]
    assert (counts["attempts"], counts["left"]) == (0, N_DOCUMENTS)


def test_a_run_that_is_still_reading_ends_too(job: Path) -> None:
    for path in (job.parent / "in").iterdir():
        path.unlink()
    (job.parent / "in" / "long.pdf").write_bytes(long_pdf(3000))
    running = start(job)
    wait_until(running, lambda: any(p.cpu_times().user > 0.5 for p in psutil.Process(running.pid).children()))
    running.send_signal(signal.SIGTERM)
    out, err = finish(running)
    assert running.returncode == 75, err
    assert out.startswith("stopped (SIGTERM): 0 documents committed, 1 left for the next start\n")


def test_a_command_without_a_run_is_interrupted(tmp_path: Path) -> None:
    fifo = tmp_path / "job.toml"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "pipeline", "check", str(fifo)]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running,
        fifo.open("w"),  # opens when the command reads the job file, which then waits for its content
    ):
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert (out, err) == ("", "interrupted\n")
