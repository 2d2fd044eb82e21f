"""Child process of `pydantic_model`: imports the user's file, writes the model's JSON Schema, or one sentence why not.

    python pydantic_child.py FILE CLASS RESULT

Exit status 0: RESULT holds the schema. REFUSED: it holds the sentence. Else the user's file ended this process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

REFUSED = 3
_MODULE = "schema_model"


class AnswerSchema(GenerateJsonSchema):
    """Pydantic's own JSON Schema of what a model takes, except that a Decimal is a number and not a text as well."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A number with the field's bounds; its decimal_places are a step."""
        node: dict[str, Any] = {"type": "number"}
        for keyword, name in (
            ("minimum", "ge"),
            ("maximum", "le"),
            ("exclusiveMinimum", "gt"),
            ("exclusiveMaximum", "lt"),
        ):
            if name in schema:
                node[keyword] = float(schema[name])  # type: ignore[literal-required]  # one of the four above
        if "multiple_of" in schema:
            node["multipleOf"] = float(schema["multiple_of"])
        elif (places := schema.get("decimal_places")) is not None:
            node["multipleOf"] = float(f"1e-{places}")
        return node


def main(file: str, name: str, result: Path) -> NoReturn:
    """Do it, and leave at once: nothing that the user's file left behind can hold the process up."""
    os.dup2(2, 1)  # what the user's file prints is no answer
    status, said = _read(file, name)
    result.write_text(said, encoding="utf-8")
    os._exit(status)


def _read(file: str, name: str) -> tuple[int, str]:
    try:
        module = _import(file)
    except BaseException as exc:  # noqa: BLE001  # the user's code raises anything, SystemExit too; it becomes a sentence
        return REFUSED, _flat(f"line {_line(exc, file)}: {type(exc).__name__}: {exc}")
    model: Any = module
    for part in name.split("."):
        model = getattr(model, part, None)
    if model is None:
        known = [key for key, value in vars(module).items() if _is_model(value) and value is not BaseModel]
        return REFUSED, _flat(f"it has no class {name!r}; its models: {', '.join(known) or 'none'}")
    if not _is_model(model):
        return REFUSED, _flat(f"{name!r} is no pydantic BaseModel")
    try:
        schema = model.model_json_schema(mode="validation", schema_generator=AnswerSchema)
        return 0, json.dumps(schema, ensure_ascii=False)
    except Exception as exc:  # noqa: BLE001  # hooks of the user's model run in it, and raise anything
        return REFUSED, _flat(f"{name!r} has no JSON Schema: {type(exc).__name__}: {exc}")


def _import(file: str) -> ModuleType:
    sys.path.insert(0, str(Path(file).parent))
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


def _line(exc: BaseException, file: str) -> object:
    """Where in the user's own file it was."""
    line, trace = getattr(exc, "lineno", None), exc.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
        trace = trace.tb_next
    return line


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _flat(sentence: str) -> str:
    return " ".join(sentence.split())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
