"""A folder that is made once and used by many processes: complete or absent, and checked at each use.

Knows nothing of models. A manifest inside the folder names each file with its size and checksum; the stamp beside it
says which sizes and times were last found right, so that a check usually reads no content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import EngineError

_MANIFEST = "manifest.json"
_STAMP = "verified.json"
_LOCK_TIMEOUT_S = 1800.0


def cache_folder() -> Path:
    """Where this user's prepared models lie: $PIPELINE_CACHE, else $XDG_CACHE_HOME/pipeline, else ~/.cache/pipeline."""
    if own := os.environ.get("PIPELINE_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).expanduser().absolute() / "pipeline"


def obtain_folder(folder: Path, build: Callable[[Path], None], *, recheck: bool = False) -> Path:
    """Return `folder`, complete; build it first when it is absent or damaged.

    Args:
        folder: Where it shall lie. The names beside it that start with its own belong to this function.
        build: Fills the empty folder it is given; called by at most one process at a time.
        recheck: Read every byte again instead of trusting sizes and times.

    Raises:
        EngineError: The folder cannot be written, or another process has been building for half an hour.
    """
    if is_intact(folder, recheck=recheck):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock"), timeout=_LOCK_TIMEOUT_S):
            if not is_intact(folder, recheck=recheck):
                _build_and_publish(folder, build)
    except Timeout as exc:
        raise EngineError(f"another process has been preparing {folder} for {_LOCK_TIMEOUT_S:.0f} s; end it") from exc
    except OSError as exc:
        raise EngineError(f"cannot prepare {folder}: {exc}. Set PIPELINE_CACHE to a folder with room to write") from exc
    return folder


def is_intact(folder: Path, *, recheck: bool = False) -> bool:
    """True when every file that the manifest names is there with its size and, unless vouched for, its checksum."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        if not manifest:
            return False
        found = {name: _stat(folder / name) for name in manifest}
        if any(found[name][0] != entry["size"] for name, entry in manifest.items()):
            return False
        if not recheck and _read_stamp(folder) == found:
            return True
        if any(_checksum(folder / name) != entry["sha256"] for name, entry in manifest.items()):
            return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # whatever a damaged manifest can cause
        return False
    with contextlib.suppress(OSError):  # a read-only cache stays usable: it is checked by content each time
        (folder / _STAMP).write_text(json.dumps(found), encoding="utf-8")
    return True


def _build_and_publish(folder: Path, build: Callable[[Path], None]) -> None:
    """Build beside the target, write the manifest, swap by rename. Only ever called under the lock."""
    for leftover in folder.parent.glob(folder.name + ".tmp-*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=folder.name + ".tmp-", dir=folder.parent))
    try:
        build(temporary)
        _write_manifest(temporary)
        temporary.chmod(0o755)
        if folder.exists():
            folder.rename(temporary.with_name(temporary.name + "-old"))
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(temporary.with_name(temporary.name + "-old"), ignore_errors=True)


def _write_manifest(folder: Path) -> None:
    manifest: dict[str, dict[str, int | str]] = {}
    for file in sorted(folder.iterdir()):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        file.chmod(0o644)
        manifest[file.name] = {"size": file.stat().st_size, "sha256": _checksum(file)}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _stat(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _read_stamp(folder: Path) -> object:
    try:
        return json.loads((folder / _STAMP).read_bytes())
    except (OSError, ValueError):
        return None


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
