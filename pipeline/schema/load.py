"""Reads a task's JSON Schema and makes the contract of it: all that later stages need to know about an answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jsonschema.protocols import Validator

from pipeline.errors import SchemaError
from pipeline.schema.annotations import check_use, check_values
from pipeline.schema.bounded import counted_lists
from pipeline.schema.citing import with_quotes
from pipeline.schema.columns import Column, build_columns, has_columns
from pipeline.schema.decoder import build_decoder_schema
from pipeline.schema.dialect import Upgraded
from pipeline.schema.finding import Finding
from pipeline.schema.grammar import grammar_error
from pipeline.schema.intersect import Schema
from pipeline.schema.lint import Length, lint
from pipeline.schema.longest import longest_answer_bytes
from pipeline.schema.normal import Normal, build_normal
from pipeline.schema.parse import parse_schema, shorten
from pipeline.schema.pointer import printable
from pipeline.schema.pydantic_model import is_model, read_model
from pipeline.schema.quick import Look, build_look, never_sure
from pipeline.schema.reach import Met, reach
from pipeline.schema.references import References
from pipeline.schema.validator import build_validator


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contract:
    """One task's data contract.

    Attributes:
        name: The schema file's name without its ending, or the model's name.
        path: The schema file, or a Pydantic model: `x.py:Model`.
        schema: The user's schema as parsed, properties in the file's order.
        max_tokens: Most tokens of an answer; the decoder form was made for it.
        decoder_schema: The decoder form, JSON text.
        longest_bytes: Bytes of the longest answer the decoder form allows.
        validator: The validator form.
        columns: The columns of the table, in order.
        lint: What enforces each constraint, in the schema's order.
        normal: The normal form, of which the columns are made.
        cited: The normal form with quotes where the schema asks for them (`x-evidence`; see `citing.py`), of which the
            decoder form is made; `normal` itself where it asks for none.
        counted: Top-level lists of which the model first says how many items it sees (`x-count-first`). In an answer,
            the property `_n_<name>` stands before each; it is no column.
        is_wrapped: Whether the schema's answer is no object with properties (a list, a map, a number, ...). The table
            then has the one column `value`, and `normal` is an object whose property `value` is the answer, while
            decoder form and validator are of the bare answer.
        look: Says yes of most bare answers that the validator accepts, and no of all others; see `quick.py`.
    """

    name: str
    path: Path
    schema: Schema
    max_tokens: int
    decoder_schema: str
    longest_bytes: int
    validator: Validator
    columns: tuple[Column, ...]
    lint: tuple[Finding, ...]
    normal: Schema
    cited: Schema
    counted: tuple[str, ...] = ()
    is_wrapped: bool = False
    look: Look = never_sure

    @property
    def answer(self) -> Schema:
        """The normal form of the bare answer."""
        return self._bare(self.normal)

    @property
    def asked(self) -> Schema:
        """The bare answer as the model writes it: with quotes."""
        return self._bare(self.cited)

    def decoder_for(self, max_tokens: int) -> str:
        """The decoder form for answers of another length."""
        return self.decoder_schema if max_tokens == self.max_tokens else build_decoder_schema(self.asked, max_tokens)

    @property
    def asks_for_quotes(self) -> bool:
        """Whether any value is asked for with a quote."""
        return self.cited is not self.normal

    def _bare(self, form: Schema) -> Schema:
        bare: Schema = form["properties"]["value"] if self.is_wrapped else form
        return bare


def load_contract(path: Path, max_tokens: int) -> Contract:
    """Read a schema file and build every form of it, except Arrow's (see `arrow.py`).

    Args:
        path: A JSON Schema file in UTF-8: draft 2020-12, or the one that its `$schema` names. Or a Pydantic model,
            `schemas/x.py:Model`.
        max_tokens: Most tokens of an answer, at least 1; unbounded strings and lists are bounded by it.

    Raises:
        SchemaError: the file cannot be read, is no JSON, is no valid schema, or asks for what no form can express.
    """
    try:
        return _build(path, _read(path), max_tokens)
    except SchemaError as exc:
        raise SchemaError(f"schema {path}: {printable(str(exc))}") from exc


def _build(path: Path, text: str, max_tokens: int) -> Contract:
    schema, upgraded = parse_schema(text)
    met, form = _follow(upgraded)
    answer = form.node
    is_wrapped = not has_columns(answer)
    whole: Schema = {"type": "object", "properties": {"value": answer}, "required": ["value"]}
    normal = whole if is_wrapped else answer
    columns = build_columns(normal)
    check_use(answer, columns)
    cited = with_quotes(normal)
    asked = cited["properties"]["value"] if is_wrapped else cited
    decoder_schema = build_decoder_schema(asked, max_tokens)
    _check_grammar(decoder_schema)
    longest_bytes = longest_answer_bytes(decoder_schema)
    return Contract(
        name=path.name.rpartition(":")[2] if is_model(path) else path.stem,
        path=path,
        schema=schema,
        max_tokens=max_tokens,
        decoder_schema=decoder_schema,
        longest_bytes=longest_bytes,
        validator=build_validator(text),
        columns=columns,
        lint=lint(upgraded, met, form, columns, Length(max_tokens, asked, decoder_schema, longest_bytes)),
        normal=normal,
        cited=cited,
        counted=counted_lists(answer),
        is_wrapped=is_wrapped,
        look=build_look(text),
    )


def _follow(upgraded: Upgraded) -> tuple[dict[str, Met], Normal]:
    try:
        references = References(upgraded.schema)
        met = reach(references)
        check_values(met)
        return met, build_normal(references)
    except RecursionError as exc:
        raise SchemaError("nested too deeply to be followed; flatten the schema") from exc


def _read(path: Path) -> str:
    if is_model(path):
        return read_model(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise SchemaError(f"cannot be read ({exc.strerror}); correct the path in the job file") from exc
    except UnicodeDecodeError as exc:
        raise SchemaError(f"not UTF-8 at byte {exc.start}; save the file as UTF-8") from exc


def _check_grammar(decoder_schema: str) -> None:
    refused = grammar_error(decoder_schema)
    if refused:
        raise SchemaError(f"no grammar can be built from it: {shorten(refused)}. Change the constraint it names")
