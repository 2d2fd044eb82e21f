"""A job made ready: everything a run needs that can be wrong is loaded here, before any work is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import __version__
from pipeline.engines.choose import open_engine
from pipeline.engines.engine import Engine
from pipeline.engines.settings import EngineSettings
from pipeline.flow.inputs import list_entries
from pipeline.job import Job
from pipeline.job.sections import TaskSection
from pipeline.models import ModelFolder, resolve_model
from pipeline.prompts.answer_form import describe_answer
from pipeline.prompts.render import PromptMaker, Question
from pipeline.prompts.tokenizer import Tokenizer
from pipeline.prompts.tokenizers import load_tokenizer
from pipeline.readers.pool import ReadLimits
from pipeline.schema.load import Contract, load_contract
from pipeline.sources import Entry, manifest_columns
from pipeline.tables.layout import carried
from pipeline.tables.output import Tables


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    Attributes:
        job: The settings.
        entries: The files to read, in order.
        contracts: The contract of each task, in the job's order.
        model: The model's folder.
        context_window: Tokens of prompt and answer together: the model's, or less where the job says so.
        tokenizer: The model's.
        maker: Cuts documents and makes prompts.
        read_limits: What reading one document may cost.
        tables: What the tables are made for.
    """

    job: Job
    entries: list[Entry]
    contracts: Mapping[str, Contract]
    model: ModelFolder
    context_window: int
    tokenizer: Tokenizer
    maker: PromptMaker
    read_limits: ReadLimits
    tables: Tables

    def engine_settings(self, log_path: Path) -> EngineSettings:
        """What the engine is told; its chatter goes to log_path."""
        job = self.job
        return EngineSettings(
            model_path=self.model.path,
            model_name=self.model.name,
            model_identity=self.model.identity,
            context_window=self.context_window,
            log_path=log_path,
            temperature=job.generation.temperature,
            seed=job.generation.seed,
            tokenizer_mode=self._tokenizer_mode(),
            request_timeout_s=job.generation.request_timeout_s,
            stall_timeout_s=job.engine.stall_timeout_s,
            options=job.engine.options,
            synthetic=job.engine.synthetic,
        )

    def _tokenizer_mode(self) -> str:
        """How the engine reads tokens back: by the Hugging Face files where there are any.

        Prompts go as ids, so it encodes nothing; and its grammar backend cannot use sentencepiece Mistral tokenizers.
        """
        if self.job.model.tokenizer != "mistral" and (self.model.path / "tokenizer.json").exists():
            return "hf"
        return self.job.model.tokenizer

    def open_engine(self, log_path: Path) -> Engine:
        """The engine the job names, not started; its chatter goes to log_path."""
        engine = self.job.engine
        recording = None if engine.recording is None else self.job.project / engine.recording
        return open_engine(engine.kind, self.engine_settings(log_path), recording)


def build_plan(job: Job, limit: int | None = None) -> Plan:
    """Load what a job names.

    Args:
        job: The settings.
        limit: Take that many sources at most.

    Raises:
        JobError: Something the job names is absent or wrong.
        EngineError: The embedded model could not be made.
    """
    entries = list_entries(job, limit)
    contracts = {t.name: load_contract(job.project / t.schema_path, job.max_tokens_of(t)) for t in job.tasks}
    carried_columns = manifest_columns(job.input.manifest, job.project)
    carried(carried_columns)
    model = resolve_model(job.model.path, job.project)
    tokenizer = load_tokenizer(job.model.tokenizer, model.path, model.name)
    context_window = min(model.context_window, job.model.context_window or model.context_window)
    questions = [_question(task, contracts[task.name]) for task in job.tasks]
    chunking = job.chunking
    maker = PromptMaker(tokenizer, questions, context_window, chunking.max_tokens, chunking.overlap_segments)
    limits = ReadLimits(job.input.read_timeout_s, job.input.read_memory_mb, job.input.n_workers)
    lineage = {"_model": model.name, "_job_fingerprint": job_fingerprint(job, contracts)}
    tables = Tables(
        columns={task: contract.columns for task, contract in contracts.items()},
        carried_columns=carried_columns,
        lineage=lineage,
        metadata={"job": job.name, "job_fingerprint": lineage["_job_fingerprint"], "pipeline_version": __version__},
        schemas={task: json.dumps(contract.schema, ensure_ascii=False) for task, contract in contracts.items()},
    )
    return Plan(job, entries, contracts, model, context_window, tokenizer, maker, limits, tables)


def _question(task: TaskSection, contract: Contract) -> Question:
    form = describe_answer(contract.schema)
    return Question(task.name, task.instructions, contract.decoder_schema, contract.max_tokens, form)


def job_fingerprint(job: Job, contracts: Mapping[str, Contract]) -> str:
    """Hash of the job's settings and of its schemas' content, 16 hex digits."""
    schemas = {task: contract.schema for task, contract in contracts.items()}
    text = job.fingerprint + json.dumps(schemas, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
