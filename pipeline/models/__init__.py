"""Models are local folders: a job's model name in, a checked ModelFolder out. Never a download."""

from pipeline.models.folder import ModelFolder, load_model_folder
from pipeline.models.resolve import resolve_model

__all__ = ["ModelFolder", "load_model_folder", "resolve_model"]
