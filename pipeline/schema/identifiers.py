"""Names of columns in, names that a warehouse takes out: distinct, allowed, and the same wherever they were allowed.

Names are data: a property may be called anything, also `"; DROP TABLE x`. What comes out still has to be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum


class Warehouse(StrEnum):
    """Whose SQL is spoken."""

    DUCKDB = "duckdb"
    SNOWFLAKE = "snowflake"
    BIGQUERY = "bigquery"


_LONGEST = {Warehouse.DUCKDB: 1000, Warehouse.SNOWFLAKE: 255, Warehouse.BIGQUERY: 300}
_BIGQUERY_ODD = re.compile(r"[^A-Za-z0-9_]")
_BIGQUERY_START = re.compile(r"[0-9]|_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER", re.IGNORECASE)


def name_columns(names: Iterable[str], warehouse: Warehouse) -> list[str]:
    """Give each column of a table, or field of a struct, the name that it has in the warehouse.

    An empty name is `C` and its index. DuckDB and BigQuery ignore case: a name that is another's in other letters gets
    `_1`, `_2`, ... after it, as DuckDB itself does when it reads such a file. BigQuery's names hold nothing but letters
    a to z, digits and underscores; others become underscores, as in its own loading.
    """
    taken: set[str] = set()
    found = []
    for i, name in enumerate(names):
        allowed = (_in_bigquery(name) if warehouse is Warehouse.BIGQUERY else name) or f"C{i}"
        allowed = allowed[: _LONGEST[warehouse]]
        n_before, distinct = 0, allowed
        while _folded(distinct, warehouse) in taken:
            n_before += 1
            distinct = f"{allowed[: _LONGEST[warehouse] - 6]}_{n_before}"
        taken.add(_folded(distinct, warehouse))
        found.append(distinct)
    return found


def quote(name: str, warehouse: Warehouse) -> str:
    """Quote a name that `name_columns` gave, or any other name for DuckDB and Snowflake."""
    return f"`{name}`" if warehouse is Warehouse.BIGQUERY else '"' + name.replace('"', '""') + '"'


def _in_bigquery(name: str) -> str:
    plain = _BIGQUERY_ODD.sub("_", name)
    return f"c{plain}" if _BIGQUERY_START.match(plain) else plain


def _folded(name: str, warehouse: Warehouse) -> str:
    return name if warehouse is Warehouse.SNOWFLAKE else name.lower()
