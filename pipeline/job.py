"""The job file: one TOML file, checked, frozen and fingerprinted.

In: a path, values for its `${variables}` and overrides. Out: a Job, or a JobError that names the key, what is wrong
with it and what is valid. This module reads the job file and nothing it names.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from pipeline.errors import JobError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Scalar = bool | int | float | str


class _Frozen(BaseModel):
    """A section of the job file: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputSection(_Frozen):
    """`[input]`: which documents. Paths are relative to the job's project."""

    paths: tuple[str, ...] = ()
    """Files, folders (walked to the bottom) and globs (`**` too)."""
    manifest: str | None = None
    """A CSV or Parquet file with a column `uri`, optional `doc_id` and `password`, and columns to carry through."""
    allow_empty: bool = False
    """Whether a run without any source is complete (exit 0) rather than a mistake (exit 2)."""
    read_timeout_s: float = Field(default=300.0, gt=0)
    """Wall-clock seconds one document may take to read."""
    read_memory_mb: int = Field(default=2048, ge=128)
    """Memory one reading process may use, MiB."""
    n_workers: int | None = Field(default=None, ge=1)
    """Reading processes; None: one a core."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.paths and self.manifest is None:
            raise ValueError("names no documents: give paths, a manifest, or both")
        return self


class TaskSection(_Frozen):
    """`[[tasks]]`: one question asked of every document."""

    name: Name
    instructions: str = Field(min_length=1)
    """What to extract, in words."""
    schema_path: str = Field(alias="schema", min_length=1)
    """The JSON Schema file of the answer, relative to the project."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of an answer; None: generation.max_tokens."""


class ModelSection(_Frozen):
    """`[model]`: what answers."""

    path: str = "smollm2-135m-instruct"
    """A model folder, relative to the project, or the name of the embedded model."""
    tokenizer: Literal["auto", "hf", "mistral"] = "auto"
    """Hugging Face files or mistral-common; auto: what the model folder holds."""
    context_window: int | None = Field(default=None, ge=64)
    """Tokens of prompt and answer together; None: what the model's config says. Never more than that."""


class EngineSection(_Frozen):
    """`[engine]`: how it is run."""

    kind: Literal["vllm", "replay"] = "vllm"
    """vllm: in this process. replay: recorded generations, for tests."""
    recording: str | None = None
    """The file of recorded generations: read by kind replay, written by kind vllm."""
    options: dict[str, Scalar | dict[str, Any] | None] = Field(default_factory=dict)
    """Passed to vLLM's engine as they are: tensor_parallel_size, quantization, kv_cache_dtype, max_num_seqs, ..."""
    stall_timeout_s: float = Field(default=1800.0, gt=0)
    """Seconds without any progress after which the engine counts as hung."""


class GenerationSection(_Frozen):
    """`[generation]`: how an answer is sampled."""

    max_tokens: int = Field(default=1024, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0)
    request_timeout_s: float = Field(default=3600.0, gt=0)
    """Seconds one prompt may take, waiting in the engine included."""


class ChunkingSection(_Frozen):
    """`[chunking]`: how a document is cut."""

    max_tokens: int | None = Field(default=None, ge=32)
    """Most document tokens in one prompt; None: as many as fit the context window."""
    overlap_segments: int = Field(default=0, ge=0)
    """Segments (pages, cues) repeated at the start of the next chunk."""


class OutputSection(_Frozen):
    """`[output]`: where the tables go."""

    folder: str = Field(min_length=1)


class GatesSection(_Frozen):
    """`[gates]`: what is still good enough. A run that fails one is committed, and exits with 5."""

    max_reject_ratio: float = Field(default=1.0, ge=0, le=1)
    """Most sources lost, of all sources."""
    max_answer_reject_ratio: float = Field(default=1.0, ge=0, le=1)
    """Most answers lost, of all prompts."""


class Job(_Frozen):
    """One job file, with `project` added: the folder its paths are relative to."""

    name: Name
    input: InputSection
    tasks: tuple[TaskSection, ...] = Field(min_length=1)
    model: ModelSection = ModelSection()
    engine: EngineSection = EngineSection()
    generation: GenerationSection = GenerationSection()
    chunking: ChunkingSection = ChunkingSection()
    output: OutputSection
    gates: GatesSection = GatesSection()
    project: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _task_names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"two tasks have the same name; the names are {', '.join(names)}")
        return self

    @property
    def output_folder(self) -> Path:
        """Where the tables go, absolute."""
        return self.project / self.output.folder

    def max_tokens_of(self, task: TaskSection) -> int:
        """Most tokens of an answer to this task."""
        return task.max_tokens or self.generation.max_tokens

    @property
    def fingerprint(self) -> str:
        """Hash of every setting, 16 hex digits; where the project lies does not change it."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


def load_job(path: Path, variables: Mapping[str, str] | None = None, overrides: Sequence[str] = ()) -> Job:
    """Read, complete and check a job file.

    Args:
        path: The TOML file. Its project is the parent of its folder when that is named `jobs`, else its folder.
        variables: Values of the `${name}` that stand in the file's strings.
        overrides: `section.key=value`; the value is TOML, or a plain string when it is not.

    Raises:
        JobError: The file cannot be read or parsed, a variable has no value, or a setting is wrong.
    """
    settings = cast("dict[str, Any]", _substitute(_load_toml(path), dict(variables or {}), path))
    for override in overrides:
        _override(settings, override)
    project = path.resolve().parent
    settings["project"] = project.parent if project.name == "jobs" else project
    try:
        return Job.model_validate(settings)
    except ValidationError as error:
        raise JobError(f"{path}: " + "\n  ".join(map(_explain, _innermost(error.errors())))) from None


def _load_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise JobError(f"There is no job file at {path}.") from None
    except OSError as error:
        raise JobError(f"The job file {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise JobError(f"The job file {path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise JobError(f"The job file {path} is not valid TOML: {error}.") from error


_VARIABLE = re.compile(r"\$(\$?)\{([^}]*)\}")


def _substitute(value: object, variables: dict[str, str], path: Path) -> object:
    """Put the variables into every string; `$${` stands for a literal `${`."""
    if isinstance(value, dict):
        return {key: _substitute(item, variables, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, variables, path) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return f"${{{name}}}"
        if name not in variables:
            given = ", ".join(sorted(variables)) or "none"
            raise JobError(f"{path}: ${{{name}}} has no value. Give it with --var {name}=...; given: {given}.")
        return variables[name]

    return _VARIABLE.sub(replace, value)


def _override(settings: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise JobError(f"--set {override!r}: expected section.key=value, for instance generation.max_tokens=200.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in keys[:-1]:
        settings = settings.setdefault(key, {})
        if not isinstance(settings, dict):
            raise JobError(f"--set {override!r}: {key!r} is not a section with keys.")
    settings[keys[-1]] = value


def _innermost(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without those that only follow from an error further inside."""
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if not any(len(place) > len(error["loc"]) and place[: len(error["loc"])] == error["loc"] for place in places)
    ]


def _explain(item: ErrorDetails) -> str:
    """One validation error as a sentence: where, what, and for an unknown key the valid ones."""
    location = [str(part) for part in item["loc"]]
    where = ".".join(location) or "the file"
    if item["type"] == "extra_forbidden":
        valid = _valid_keys(location[:-1])
        close = difflib.get_close_matches(location[-1], valid, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"{where}: unknown key.{hint} Valid keys here: {', '.join(valid)}."
    if item["type"] == "missing":
        return f"{where}: missing. It must be given."
    message = str(item["msg"]).removeprefix("Value error, ")
    given = item["input"]
    return f"{where}: {message}" + (f"; got {given!r}." if isinstance(given, Scalar) else ".")


def _valid_keys(section: list[str]) -> list[str]:
    model: type[BaseModel] = Job
    for part in section:
        if part.isdigit():
            continue
        annotation = model.model_fields[part].annotation
        model = TaskSection if part == "tasks" else cast("type[BaseModel]", annotation)
    return [field.alias or name for name, field in model.model_fields.items() if name != "project"]
