"""What all tests share: where the real documents lie, and the switch that rewrites golden files."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("PIPELINE_CORPUS", Path(__file__).parents[2] / "shared" / "data")).resolve()


# The benchmarks are scripts beside the package: their folder is where they find each other.
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-goldens", action="store_true", help="write golden files instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CORPUS.is_dir():
        return
    absent = pytest.mark.skip(reason=f"the real documents are not at {CORPUS} (set PIPELINE_CORPUS)")
    for item in items:
        if "corpus" in item.keywords:
            item.add_marker(absent)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """The command line, called in this process, ends with its signals ignored; what comes later must hear them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents; only tests marked `corpus` may ask for it."""
    return CORPUS


@pytest.fixture(scope="session")
def corpus_if_there() -> Path | None:
    """The folder of real documents, for tests that do without as well."""
    return CORPUS if CORPUS.is_dir() else None


@pytest.fixture
def rewrite_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite-goldens"))
