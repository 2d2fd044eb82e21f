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


_LONGEST = {Warehouse.DUCKDB: 1_000_000, Warehouse.SNOWFLAKE: 255, Warehouse.BIGQUERY: 300}
_SUFFIX = 8
_BIGQUERY_ODD = re.compile(r"[^A-Za-z0-9_]")
_BIGQUERY_START = re.compile(r"[0-9]|_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER", re.IGNORECASE)


def name_columns(names: Iterable[str], warehouse: Warehouse) -> list[str]:
    """Give each column of a table, or field of a struct, the name that it has in the warehouse.

    An empty name is `C` and its index. DuckDB and BigQuery ignore the case of letters a to z: a name that is another's
    in other letters gets `_1`, `_2`, ... after it, just as DuckDB does itself when it reads such a file, since it
    matches the fields of structs by name. BigQuery's names hold nothing but letters a to z, digits and underscores;
    others become underscores, as in its own loading.
    """
    uses: dict[str, int] = {}
    found = []
    for i, name in enumerate(names):
        distinct = (_in_bigquery(name) if warehouse is Warehouse.BIGQUERY else name) or f"C{i}"
        distinct = distinct[: _LONGEST[warehouse]]
        while (folded := _folded(distinct, warehouse)) in uses:
            distinct = f"{distinct[: _LONGEST[warehouse] - _SUFFIX]}_{uses[folded]}"
            uses[folded] += 1
        uses[folded] = 1
        found.append(distinct)
    return found


def quote(name: str, warehouse: Warehouse) -> str:
    """Quote a name that `name_columns` gave, or any other name for DuckDB and Snowflake."""
    return f"`{name}`" if warehouse is Warehouse.BIGQUERY else '"' + name.replace('"', '""') + '"'


def _in_bigquery(name: str) -> str:
    plain = _BIGQUERY_ODD.sub("_", name)
    return f"c{plain}" if _BIGQUERY_START.match(plain) else plain


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _folded(name: str, warehouse: Warehouse) -> str:
    return name if warehouse is Warehouse.SNOWFLAKE else name.translate(_LOWER)
