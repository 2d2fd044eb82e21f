"""A run that is ended from outside says so, leaves no process and no table behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from made_pdf import long_pdf

JOB = """
name = "nightly"
input.paths = ["long.pdf"]
output.folder = "out"
[[tasks]]
name = "contract"
instructions = "Who signed?"
schema = "contract.json"
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, number: int) -> None:
    (tmp_path / "long.pdf").write_bytes(long_pdf(3000))
    (tmp_path / "contract.json").write_text(json.dumps({"type": "object", "properties": {"a": {"type": "string"}}}))
    (tmp_path / "nightly.toml").write_text(JOB)
    command = [sys.executable, "-m", "pipeline", "run", str(tmp_path / "nightly.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        children: list[psutil.Process] = []
        while not children and running.poll() is None:
            children = [p for p in psutil.Process(running.pid).children() if p.cpu_times().user > 0.5]
            time.sleep(0.05)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.endswith("interrupted: nothing of this run was committed\n")
    assert "Traceback" not in out + err
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    assert not list((tmp_path / "out").rglob("*.parquet"))
