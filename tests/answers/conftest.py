"""Contracts from plain dicts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.schema.load import Contract, load_contract


@pytest.fixture(scope="session")
def contract_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Contract]:
    """Write an object schema with these properties (and other keywords) to a file and load it."""
    path: Path = tmp_path_factory.mktemp("schemas") / "contract.json"

    def load(properties: dict[str, Any], **keywords: Any) -> Contract:
        path.write_text(json.dumps({"type": "object", "properties": properties, **keywords}), encoding="utf-8")
        return load_contract(path, 4096)

    return load
