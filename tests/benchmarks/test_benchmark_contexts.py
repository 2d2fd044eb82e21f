"""The long-context benchmark with the rehearsal engine: real documents, chunks and prompts, and no model."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import contexts
import pytest
import workload

CLOSED = {"sums": [{"closes": True}], "rejects": {}, "counts": {"rejected_sources": 0, "attempts": 2, "prompts": 2}}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contexts")
    workload.write_pdf(folder / "in" / "long.pdf", 24)
    made = contexts.write_job(folder, folder / "in" / "long.pdf")
    text = made.read_text().replace('path = "model"', 'path = "smollm2-135m-instruct"')
    made.write_text(text + '[engine]\nkind = "synthetic"\n')
    return made


def test_a_smaller_window_takes_more_chunks_of_almost_the_same_size(job: Path) -> None:
    small, large = (contexts.run(job, window) for window in (2048, 8192))
    assert small["chunks"] > 2 * large["chunks"] > 2
    for figures, window in ((small, 2048), (large, 8192)):
        assert 1 <= figures["balance"] < 1.25
        assert window / 2 < figures["longest prompt"] < window
        assert figures["driver, MB"] > 20
        assert figures["worker, MB"] == 0  # no vLLM


def test_a_run_that_fails_is_told(job: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)it ended with 2:.*tokens for the document"):
        contexts.run(job, 200)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"sums": [{"closes": False}]}, "lost something"),
        ({"counts": {"rejected_sources": 1, "attempts": 2, "prompts": 2}}, "lost something"),
        ({"counts": {"rejected_sources": 0, "attempts": 3, "prompts": 2}}, "2 prompts were asked 3 times"),
    ],
)
def test_a_run_that_lost_something_is_told(changed: dict[str, Any], fault: str) -> None:
    contexts.check(CLOSED)
    with pytest.raises(RuntimeError, match=fault):
        contexts.check(CLOSED | changed)


def test_memory_is_told_by_role() -> None:
    peaks: dict[str, int] = defaultdict(int)
    contexts._look(os.getpid(), peaks)
    assert peaks["driver"] > 10_000_000
    assert "worker" not in peaks
