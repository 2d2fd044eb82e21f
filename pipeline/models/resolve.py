"""A job's model name in, its folder out: the embedded model by name, any other by its path."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from pipeline.errors import JobError
from pipeline.models.embedded import EMBEDDED_NAME, prepare_embedded_model
from pipeline.models.folder import ModelFolder, load_model_folder

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve_model(name_or_path: str, project: Path) -> ModelFolder:
    """Find the model a job names.

    Args:
        name_or_path: "smollm2-135m-instruct" for the embedded model, or a folder in Hugging Face layout.
        project: The folder that a relative path starts from.

    Raises:
        JobError: There is no such folder, or it holds no complete model.
        EngineError: The embedded model could not be prepared.
    """
    if name_or_path.strip().casefold() == EMBEDDED_NAME:
        return load_model_folder(prepare_embedded_model(), name=EMBEDDED_NAME)
    path = project / Path(name_or_path).expanduser()
    if path.is_dir() and name_or_path.strip():
        return load_model_folder(path)
    raise JobError(_explain_absence(name_or_path, path))


def _explain_absence(name_or_path: str, path: Path) -> str:
    if not name_or_path.strip():
        return f"the model's name is empty; give a folder, or {EMBEDDED_NAME!r}"
    if path.is_file():
        return f"model {name_or_path!r} is a file; give the folder that holds config.json and the weights"
    if difflib.get_close_matches(name_or_path.casefold(), [EMBEDDED_NAME], cutoff=0.5):
        return f"there is no model {name_or_path!r} at {path}; the embedded model is called {EMBEDDED_NAME!r}"
    if _HUB_NAME.fullmatch(name_or_path):
        return (
            f"there is no folder {path}. Models are local folders, a run never downloads: fetch it once "
            f"(hf download {name_or_path} --local-dir FOLDER) and name that folder"
        )
    return f"there is no model folder {path}; give a folder with config.json and weights, or {EMBEDDED_NAME!r}"
