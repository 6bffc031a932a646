"""An empty database of DuckDB, which spills to the scratch folder what does not fit into the engines' memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from triptych.engines.runtime.resources import MIB, resources
from triptych.errors import EngineError

LEAST_MEMORY_MIB = 128
"""Below, DuckDB does not even sort."""
MEMORY_SHARE = 1 / 2
"""The other half: what it does not count, and what is read before."""
THREADS = 2


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty database; EngineError for what DuckDB refuses."""
    memory_mib = max(LEAST_MEMORY_MIB, resources().share(MEMORY_SHARE).bytes // MIB)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mib}MiB",
        "temp_directory": str(resources().new_folder()),
        "threads": THREADS,
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        yield connection
    except duckdb.Error as error:
        raise EngineError(str(error).splitlines()[0]) from error
    finally:
        connection.close()


def identifier(column: str) -> str:
    """A column's name in SQL: a"b -> "a""b"."""
    quoted = column.replace('"', '""')
    return f'"{quoted}"'


def literal(text: str) -> str:
    """A string in SQL: it's -> 'it''s'."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
