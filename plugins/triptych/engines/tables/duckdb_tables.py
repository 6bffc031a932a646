"""Results as tables of DuckDB, which spills to the scratch folder what does not fit into the engines' memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from triptych.engines.api import Result
from triptych.engines.runtime.resources import need, resources
from triptych.engines.tables.formats import DELIMITERS, table_format
from triptych.errors import EngineError

LEAST_MEMORY_MIB = 128
"""Below, DuckDB does not even sort."""
THREADS = 2
READERS = {
    "parquet": "read_parquet({})",
    # All rows are looked at: a field that only later ones have would be left out without a word.
    "jsonl": "read_json({}, format = 'newline_delimited', sample_size = -1)",
}


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
    # The other half: what it does not count, and what is read before.
    memory_mib = max(LEAST_MEMORY_MIB, available.memory_bytes // 2 >> 20)
    config = {"memory_limit": f"{memory_mib}MiB", "temp_directory": str(available.new_folder()), "threads": THREADS}
    connection = duckdb.connect(":memory:", config=config)
    try:
        yield connection
    except duckdb.Error as error:
        raise EngineError(str(error).splitlines()[0]) from error
    finally:
        connection.close()


def tables(connection: Any, results: Sequence[Result], form: str) -> list[Table]:
    """Every result that is not empty; EngineError names one that cannot be read."""
    filled = [result for result in results if result.size]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda result: _table(connection.cursor(), result, table_format(result, form)), filled))


def _table(connection: Any, result: Result, form: str) -> Table:
    path = str(result.local_path())
    try:
        sql = _csv(connection, path, DELIMITERS[form]) if form in DELIMITERS else READERS[form].format(literal(path))
        described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except need("duckdb", "tables").Error as error:
        reason = str(error).splitlines()[0]
        msg = f"chunk {result.chunk}, {result.name!r}: cannot be read as a table: {reason}"
        raise EngineError(msg) from error
    return Table(result, sql, {row[0]: row[1] for row in described})


def _csv(connection: Any, path: str, delimiter: str) -> str:
    """The types are those of all rows, which are looked at once: of some alone, 1.5 may become 2."""
    dialect = f"{literal(path)}, delim = {literal(delimiter)}, quote = '\"', escape = '\"', header = true"
    query = f"SELECT NewLineDelimiter, Columns, DateFormat, TimestampFormat FROM sniff_csv({dialect}, sample_size = -1)"
    new_line, columns, date, timestamp = connection.execute(query).fetchone()
    types = ", ".join(f"{literal(each['name'])}: {literal(each['type'])}" for each in columns)
    formats = {"dateformat": date, "timestampformat": timestamp, "new_line": new_line}
    declared = "".join(f", {option} = {literal(form)}" for option, form in formats.items() if form)
    return f"read_csv({dialect}, auto_detect = false, columns = {{{types}}}{declared})"


def name(column: str) -> str:
    """A column's name in SQL."""
    quoted = column.replace('"', '""')
    return f'"{quoted}"'


def literal(text: str) -> str:
    """A string in SQL."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
