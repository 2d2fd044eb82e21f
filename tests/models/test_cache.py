"""A prepared folder is complete or absent: built once by many, rebuilt when damaged, checked at each use."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import EngineError
from pipeline.models.cache import cache_folder, is_intact, obtain_folder


def build(folder: Path) -> None:
    with (folder.parent / "builds").open("a") as log:
        log.write("x")
    (folder / "weights").write_bytes(b"w" * 10_000)
    time.sleep(0.2)
    (folder / "config").write_text("{}")


def n_builds(parent: Path) -> int:
    return len((parent / "builds").read_text())


def test_it_is_built_once(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    assert obtain_folder(folder, build) == folder
    assert obtain_folder(folder, build) == folder
    assert (folder / "weights").read_bytes() == b"w" * 10_000
    assert n_builds(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["builds", "model", "model.lock"]


def test_four_processes_build_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=obtain_folder, args=(tmp_path / "model", build)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
        process.close()
    assert n_builds(tmp_path) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "lost", "no manifest", "half a manifest", "empty manifest"])
def test_a_damaged_folder_is_rebuilt(tmp_path: Path, damage: str) -> None:
    folder = obtain_folder(tmp_path / "model", build)
    weights, manifest = folder / "weights", folder / "manifest.json"
    if damage == "cut":
        os.truncate(weights, 100)
    elif damage == "flipped":
        weights.write_bytes(b"w" * 9_999 + b"W")
        os.utime(weights, ns=(0, 1))
    elif damage == "lost":
        weights.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("{}" if damage == "empty manifest" else manifest.read_text()[:30])
    obtain_folder(folder, build)
    assert n_builds(tmp_path) == 2
    assert weights.read_bytes() == b"w" * 10_000
    assert is_intact(folder, recheck=True)


def test_a_hidden_flip_is_found_when_asked(tmp_path: Path) -> None:
    """Same size, same time: only reading every byte can tell."""
    folder = obtain_folder(tmp_path / "model", build)
    assert is_intact(folder)
    weights = folder / "weights"
    status = weights.stat()
    weights.write_bytes(b"w" * 9_999 + b"W")
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert is_intact(folder)
    assert not is_intact(folder, recheck=True)
    obtain_folder(folder, build, recheck=True)
    assert n_builds(tmp_path) == 2


def test_a_lost_stamp_costs_a_check_not_a_build(tmp_path: Path) -> None:
    folder = obtain_folder(tmp_path / "model", build)
    (folder / "verified.json").unlink(missing_ok=True)
    obtain_folder(folder, build)
    assert n_builds(tmp_path) == 1
    assert json.loads((folder / "verified.json").read_text()).keys() == {"config", "weights"}


def test_a_builder_that_is_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pipeline.models.cache import obtain_folder\n"
        "def build(folder): (folder / 'weights').write_bytes(b'half'); print('in', flush=True); time.sleep(600)\n"
        "obtain_folder(Path(sys.argv[1]), build)"
    )
    folder = tmp_path / "model"
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        process.kill()
    assert not folder.exists()
    obtain_folder(folder, build)
    assert (folder / "weights").read_bytes() == b"w" * 10_000
    assert [path for path in tmp_path.iterdir() if ".tmp-" in path.name] == []


def test_a_failed_build_leaves_nothing_and_passes_its_error_on(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "weights").write_bytes(b"half")
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        obtain_folder(tmp_path / "model", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["model.lock"]


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match="PIPELINE_CACHE"):
        obtain_folder(tmp_path / "file" / "model", build)


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("PIPELINE_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "pipeline"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "pipeline"
