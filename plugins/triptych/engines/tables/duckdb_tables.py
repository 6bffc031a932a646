"""Results as tables of DuckDB, which spills to the scratch folder what does not fit into the engines' memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import duckdb

from triptych.engines.api import Input, Result
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, opened
from triptych.engines.runtime.resources import MIB, resources
from triptych.errors import EngineError

LEAST_MEMORY_MIB = 128
"""Below, DuckDB does not even sort."""
MEMORY_SHARE = 1 / 2
"""The other half: what it does not count, and what is read before."""
THREADS = 2
READERS = {
    "parquet": "read_parquet({})",
    # All rows are looked at: a field that only later ones have would be left out without a word.
    "jsonl": "read_json({}, format = 'newline_delimited', sample_size = -1)",
}


@dataclass(frozen=True)
class DuckTable:
    """One result: `sql` is what to select from, `columns` its names and DuckDB's types."""

    result: Input
    sql: str
    columns: Mapping[str, str]


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


def duck_tables(
    connection: duckdb.DuckDBPyConnection, results: Sequence[Result], params: Mapping[str, Any]
) -> list[DuckTable]:
    """Every result that is not empty; raises the error of one that cannot be read."""
    filled = [result for result in results if result.size]
    with ThreadPoolExecutor(THREADS) as pool:
        # Each thread is to see the stage's resources.
        read = [
            pool.submit(copy_context().run, _table, connection.cursor(), opened(result, params, binaries=("parquet",)))
            for result in filled
        ]
        return [table.result() for table in read]


def _table(connection: duckdb.DuckDBPyConnection, table: Opened) -> DuckTable:
    result = table.item
    path = str(result.local_path())
    try:
        sql = _csv(connection, table) if table.format in DELIMITERS else READERS[table.format].format(literal(path))
        described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except duckdb.Error as error:
        msg = f"cannot be read as a table: {str(error).splitlines()[0]}"
        raise result.error(msg) from error
    return DuckTable(result, sql, {row[0]: row[1] for row in described})


def _csv(connection: duckdb.DuckDBPyConnection, table: Opened) -> str:
    """Read as `formats` says CSV is, with the names that our own reader finds: DuckDB is asked for the types only.

    They are those of all rows, which are looked at once: of some alone, 1.5 may become 2.
    """
    result, names = table.item, _distinct(table.names)
    dialect = f"{literal(str(result.local_path()))}, {_dialect(table.dialect.delimiter, table.header)}"
    query = f"SELECT Columns, DateFormat, TimestampFormat FROM sniff_csv({dialect}, sample_size = -1)"
    columns, date, timestamp = connection.execute(query).fetchone() or ()
    if len(names) != len(columns):
        msg = f"cannot be read as a table: its header has {len(names)} names, and its rows have {len(columns)} values."
        raise result.error(msg)
    types = ", ".join(f"{literal(name)}: {literal(each['type'])}" for name, each in zip(names, columns, strict=True))
    formats = {"dateformat": date, "timestampformat": timestamp}
    declared = "".join(f", {option} = {literal(value)}" for option, value in formats.items() if value)
    return f"read_csv({dialect}, auto_detect = false, columns = {{{types}}}{declared})"


def _dialect(delimiter: str, header: bytes) -> str:
    """`formats` in DuckDB's options; nothing of it is left to be guessed, since the guess may fail.

    Line ends are those of the header. DuckDB is stricter in that all have to be of one kind, and forgives spaces
    between a closing quote and a delimiter.
    """
    quote = literal('"')
    options = f"delim = {literal(delimiter)}, quote = {quote}, escape = {quote}, header = true, skip = 0, comment = ''"
    line_end = "\\r\\n" if header.endswith(b"\r\n") else "\\n" if header.endswith(b"\n") else ""
    return f"{options}, new_line = {literal(line_end)}" if line_end else options


def _distinct(names: Sequence[str]) -> list[str]:
    """Columns of a table in SQL have names, and each another one: ["a", "", "a"] -> ["a", "column1", "a_1"]."""
    made: list[str] = []
    for index, name in enumerate(names):
        own = name or f"column{index}"
        count = 0
        while (numbered := f"{own}_{count}" if count else own).lower() in map(str.lower, made):
            count += 1
        made.append(numbered)
    return made


def identifier(column: str) -> str:
    """A column's name in SQL: a"b -> "a""b"."""
    quoted = column.replace('"', '""')
    return f'"{quoted}"'


def literal(text: str) -> str:
    """A string in SQL: it's -> 'it''s'."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
