"""What a person sees while a run goes on: plain lines in a log, bars on a terminal."""

import os
import pty
import time
from pathlib import Path

import pytest

from pipeline.cli import progress
from pipeline.reports.ledger import Ledger


def halfway() -> Ledger:
    return Ledger(
        n_tasks=1,
        n_sources=5,
        n_unchanged=1,
        n_documents=2,
        n_chunks=6,
        n_prompts=6,
        n_records=3,
        n_prompt_tokens=3000,
        n_pending_tokens=3000,
    )


def test_the_eta_counts_what_waits_and_what_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    speed = progress.Speed()
    assert speed.text(Ledger(n_tasks=1, n_sources=5), 5) == ""
    assert speed.text(halfway(), 5) == ""  # the clock starts with the first prompt
    now[0] = 30.0
    # 100 tokens/s; 3,000 wait, and two unread documents have 3,000 each, as the two read ones had
    assert speed.text(halfway(), 5) == "100 tokens/s, about 1:30 left"


def test_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress.Lines() as lines:
        lines.say("Loading the model m ...")
        for second in range(40):
            now[0] = float(second)
            lines.update(halfway(), 5)
    captured = capsys.readouterr()
    said = [line[9:] for line in captured.err.splitlines()]
    assert captured.out == ""
    assert said[0] == "Loading the model m ..."
    assert len(said) == 3
    assert said[1].startswith("documents 3 of 5, chunks 6, answers 3 of 6, rejects 0, ")


def test_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        watcher = progress.open_watcher()
        assert isinstance(watcher, progress.Bars)
        with watcher:
            watcher.say("Loading the model [m] ...")
            watcher.update(halfway(), 5)
            time.sleep(0.3)
        stderr.flush()
        shown = os.read(controller, 65536).decode()
    os.close(controller)
    assert "Loading the model [m] ..." in shown
    assert "3/5" in shown
    assert "6 chunks" in shown


def test_lines_are_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open("w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        assert isinstance(progress.open_watcher(), progress.Lines)
