"""Values inside JSON Lines, by dotted name, as columns: DuckDB reads them without a Python object per record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import duckdb
import orjson
import pyarrow as pa

from triptych.engines.api import Input
from triptych.engines.arrays.text_columns import TextColumn
from triptych.engines.tables.csv_batches import Batch
from triptych.engines.tables.duckdb_tables import literal


def json_columns(batch: Batch, names: Sequence[str], item: Input) -> list[TextColumn]:
    """The JSON text of each named value (`a.b.0`: keys and list indices; an empty name is the whole), in compact form.

    Lines `{"a": {"b": [1]}}` and `{}`, name `a.b` -> ["[1]", null]: null where a record has no such value. Raises the
    item's error with the place of the line that is no JSON.
    """
    lines = pa.table({"line": batch.records().view(pa.large_string())})
    wanted = [
        f"json_extract(line, {literal(_pointer(name))})::VARCHAR AS c{number}" for number, name in enumerate(names)
    ]
    try:
        found = _connection().from_arrow(lines).project(", ".join(wanted)).to_arrow_table()
    except (duckdb.Error, UnicodeDecodeError) as error:  # The latter, where its message quotes bytes.
        _refuse_first_faulty(batch, item)
        msg = f"a line cannot be read as JSON: {str(error).splitlines()[0]}"
        raise item.error(msg) from error
    return [column.combine_chunks().cast(pa.large_string()) for column in found.columns]


def _refuse_first_faulty(batch: Batch, item: Input) -> None:
    for index, line in enumerate(batch.records().to_pylist()):
        try:
            orjson.loads(line)
        except ValueError as error:
            msg = f"{batch.location(index)} is no JSON: {error}. Correct it."
            raise item.error(msg) from error


@lru_cache(maxsize=1)
def _connection() -> duckdb.DuckDBPyConnection:
    # One thread: the stage's others upload what was cut before.
    return duckdb.connect(":memory:", config={"threads": "1"})


def _pointer(name: str) -> str:
    """As a JSON pointer (RFC 6901): a.b/c -> /a/b~1c."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in filter(None, name.split(".")))
