"""What all tests share: where the real documents lie, and the switch that rewrites golden files."""

import os
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("PIPELINE_CORPUS", Path(__file__).parents[2] / "shared" / "data")).resolve()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-goldens", action="store_true", help="write golden files instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CORPUS.is_dir():
        return
    absent = pytest.mark.skip(reason=f"the real documents are not at {CORPUS} (set PIPELINE_CORPUS)")
    for item in items:
        if "corpus" in item.keywords:
            item.add_marker(absent)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents; only tests marked `corpus` may ask for it."""
    return CORPUS


@pytest.fixture
def rewrite_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite-goldens"))
