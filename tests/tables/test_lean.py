"""pyarrow without pandas, and still with it for those who ask. In child processes: what is imported stays imported."""

import subprocess
import sys

import pytest

MADE = "import sys, pyarrow as pa; table = pa.Table.from_pylist([dict(a=1)]); "
FORGONE = "from pipeline.tables.lean import forgo_pandas; forgo_pandas(); forgo_pandas(); "


def said(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("first", "found"), [("", "True"), (FORGONE, "False")])
def test_an_array_needs_no_pandas(first: str, found: str) -> None:
    assert said(f"{first}{MADE} table.to_pylist(); pa.array([]); print('pandas' in sys.modules)") == found


def test_a_data_frame_can_still_be_made() -> None:
    assert (
        said(f"{FORGONE}{MADE} print(table.to_pandas().a[0], type(pa.table(table.to_pandas())).__name__)") == "1 Table"
    )


def test_pandas_that_is_loaded_stays() -> None:
    assert (
        said(f"import pandas as pd; {FORGONE}import pyarrow as pa; print(pa.array(pd.Series([1, None]))[1])") == "None"
    )


def test_the_imports_are_as_before() -> None:
    assert said(f"import sys; before = list(sys.meta_path); {FORGONE}print(sys.meta_path == before)") == "True"


def test_another_allocator_serves() -> None:
    code = "from pipeline.tables.lean import return_memory; return_memory(); import pyarrow as pa; a = pa.array([1]); "
    code += "pool = pa.default_memory_pool(); print(pool.backend_name, pool.bytes_allocated() > 0)"
    best = said(
        "import pyarrow as pa; b = pa.supported_memory_backends(); print('jemalloc' if 'jemalloc' in b else b[0])"
    )
    assert said(code) == f"{best} True"
