"""`pipeline schema JOB`: the tables that a job makes, before it has run: Arrow types, CREATE TABLE, dbt sources."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.meanings import CARRIED, RECORDS, TABLES, meaning_of
from pipeline.cli.options import JobArgument, SetOption, VarOption, job_from
from pipeline.errors import JobError
from pipeline.schema.identifiers import Warehouse

if TYPE_CHECKING:
    from pipeline.job import Job
    from pipeline.schema.load import Contract
    from pipeline.schema.table_texts import TableForm


class Format(StrEnum):
    """How the tables are printed."""

    ARROW = "arrow"
    DUCKDB = "duckdb"
    SNOWFLAKE = "snowflake"
    BIGQUERY = "bigquery"
    DBT = "dbt"
    JSON = "json"


TaskOption = Annotated[
    str | None, typer.Option("--task", metavar="NAME", help="The table of this task only; without it all tables.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="How they are printed.")]
WarehouseOption = Annotated[
    Warehouse, typer.Option("--warehouse", help="Whose types dbt's sources.yml names; only for --format dbt.")
]


def schema(
    job: JobArgument,
    task: TaskOption = None,
    format_: FormatOption = Format.ARROW,
    warehouse: WarehouseOption = Warehouse.DUCKDB,
    var: VarOption = None,
    set_: SetOption = None,
) -> None:
    """Print the tables that the job makes: columns, types, descriptions. Reads no source, loads no engine."""
    from pipeline.schema.table_texts import arrow_text, dbt_text, ddl_text, json_text

    settings = job_from(job, var, set_)
    tables = _tables(settings, task)
    match format_:
        case Format.ARROW:
            text = arrow_text(tables)
        case Format.JSON:
            text = json_text(tables)
        case Format.DBT:
            text = dbt_text(tables, settings.name, warehouse)
        case sql:
            text = ddl_text(tables, Warehouse(sql.value))
    print(text, end="")


def _tables(job: Job, only_task: str | None) -> list[TableForm]:
    """The tables of all tasks and those that every job has; of one task its own.

    Raises:
        JobError: The job has no such task.
        SchemaError: A schema is wrong.
    """
    from pipeline.schema.load import load_contract
    from pipeline.sources import manifest_columns

    names = [task.name for task in job.tasks]
    if only_task is not None and only_task not in names:
        raise JobError(f"The job {job.name!r} has no task {only_task!r}. Its tasks: {', '.join(names)}.")
    carried_names = manifest_columns(job.input.manifest, job.project)
    records = [
        _records(job, task.name, load_contract(job.project / task.schema_path, job.max_tokens_of(task)), carried_names)
        for task in job.tasks
        if only_task in (None, task.name)
    ]
    return records if only_task is not None else [*records, *_shared(job, carried_names)]


def _records(job: Job, task: str, contract: Contract, carried_names: tuple[str, ...]) -> TableForm:
    from pipeline.schema.arrow import build_arrow_schema
    from pipeline.schema.table_texts import TableForm, describe_fields
    from pipeline.tables.layout import LINEAGE, carried, check_names

    check_names(task, [column.name for column in contract.columns], carried_names)
    lineage = [*describe_fields(LINEAGE, meaning_of), *describe_fields(carried(carried_names), _carried)]
    description = contract.schema.get("description") or contract.schema.get("title") or RECORDS
    folder = f"{job.output.folder}/records/{task}"
    return TableForm.of(f"records_{task}", folder, str(description), [*build_arrow_schema(contract.columns), *lineage])


def _shared(job: Job, carried_names: tuple[str, ...]) -> list[TableForm]:
    from pipeline.schema.table_texts import TableForm, describe_fields
    from pipeline.tables.layout import CONFLICTS, DOCUMENTS, EVIDENCE, REJECTS, RESPONSES, SOURCES, carried

    schemas = {
        "sources": SOURCES,
        "documents": [*DOCUMENTS, *describe_fields(carried(carried_names), _carried)],
        "responses": RESPONSES,
        "rejects": REJECTS,
        "conflicts": CONFLICTS,
        "evidence": EVIDENCE,
    }
    return [
        TableForm.of(name, f"{job.output.folder}/{name}", TABLES[name], describe_fields(fields, meaning_of))
        for name, fields in schemas.items()
    ]


def _carried(_: str) -> str:
    return CARRIED
