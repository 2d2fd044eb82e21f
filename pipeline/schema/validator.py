"""The validator form: the user's whole schema as a JSON Schema 2020-12 validator, formats asserted, decimals exact."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import cast

from jsonschema.protocols import Validator

from pipeline.schema.dialect import upgrade
from pipeline.schema.exact import FORMATS, ExactValidator
from pipeline.schema.references import METASCHEMAS


def build_validator(text: str) -> Validator:
    """Give a validator for a schema in JSON text, of any draft that is known.

    It expects instances whose fractions are Decimal, and fetches nothing.
    """
    parsed = json.loads(text, parse_float=Decimal)
    schema = upgrade(parsed).schema if isinstance(parsed, dict) else parsed
    return cast(Validator, ExactValidator(schema, registry=METASCHEMAS, format_checker=FORMATS))
