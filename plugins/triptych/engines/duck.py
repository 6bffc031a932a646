"""Results as tables of DuckDB, which spills to the scratch folder what does not fit into the engines' memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from triptych.engines.api import Result
from triptych.engines.formats import DELIMITERS, table_format
from triptych.engines.resources import need, resources
from triptych.errors import EngineError

LEAST_MEMORY_MIB = 128
"""Below, DuckDB does not even sort."""


@dataclass(frozen=True)
class Table:
    """One result: `sql` is what to select from, `columns` its names and DuckDB's types."""

    result: Result
    sql: str
    columns: dict[str, str]

    @property
    def what(self) -> str:
        return f"chunk {self.result.chunk}, {self.result.name!r}"


@contextmanager
def database() -> Iterator[Any]:
    """A connection to an empty database; EngineError for what DuckDB refuses."""
    duckdb = need("duckdb", "tables")
    available = resources()
    memory_mib = max(LEAST_MEMORY_MIB, available.memory_bytes * 3 // 4 >> 20)
    config = {"memory_limit": f"{memory_mib}MiB", "temp_directory": str(available.new_folder()), "threads": 2}
    connection = duckdb.connect(":memory:", config=config)
    try:
        yield connection
    except duckdb.Error as error:
        raise EngineError(str(error).splitlines()[0]) from error
    finally:
        connection.close()


def tables(connection: Any, results: Sequence[Result], form: str) -> list[Table]:
    """Every result that is not empty; EngineError names one that cannot be read."""
    found = []
    for result in results:
        if not result.size:
            continue
        sql = _scan(result, table_format(result, form))
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
        except need("duckdb", "tables").Error as error:
            reason = str(error).splitlines()[0]
            msg = f"chunk {result.chunk}, {result.name!r}: cannot be read as a table: {reason}"
            raise EngineError(msg) from error
        found.append(Table(result, sql, {row[0]: row[1] for row in described}))
    return found


def _scan(result: Result, form: str) -> str:
    path = literal(str(result.local_path()))
    if form == "parquet":
        return f"read_parquet({path})"
    if form == "jsonl":
        return f"read_json({path}, format = 'newline_delimited')"
    delimiter = literal(DELIMITERS[form])
    return f"read_csv({path}, delim = {delimiter}, quote = '\"', escape = '\"', header = true, sample_size = -1)"


def name(column: str) -> str:
    """A column's name in SQL."""
    quoted = column.replace('"', '""')
    return f'"{quoted}"'


def literal(text: str) -> str:
    """A string in SQL."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
