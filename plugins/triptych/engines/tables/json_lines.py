"""Values inside JSON Lines, by dotted name, as columns: DuckDB reads them without a Python object per record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.api import Input
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn
from triptych.engines.tables.csv_batches import Batch
from triptych.engines.tables.duckdb_tables import literal

_ESCAPED = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
"""An escape in JSON: a surrogate pair, half of one alone (group 1), or another."""
_HALF = "\ufdd0"
"""A code point that is kept free for such uses (Unicode, 23.7)."""


def json_columns(batch: Batch, names: Sequence[str], item: Input) -> list[TextColumn]:
    """The JSON text of each named value (`a.b.0`: keys and list indices; an empty name is the whole), in compact form.

    Lines `{"a": {"b": [1]}}` and `{}`, name `a.b` -> ["[1]", null]: null where a record has no such value. Raises the
    item's error with the place of the line that is no JSON.
    """
    records = batch.records()
    try:
        return _columns(records, names)
    except (duckdb.Error, UnicodeDecodeError) as error:  # The latter, where its message quotes bytes.
        lines = [_ESCAPED.sub(_marked, line) for line in records.to_pylist()]
        _refuse_first_faulty(lines, batch, item)
        try:
            columns = _columns(pa.array(lines, pa.large_binary()), names)
        except (duckdb.Error, UnicodeDecodeError):
            msg = f"a line cannot be read as JSON: {str(error).splitlines()[0]}"
            raise item.error(msg) from error
    _refuse_first_marked(columns, names, batch, item)
    return columns


def present_columns(batch: Batch, names: Sequence[str], item: Input) -> list[TextColumn]:
    """The same, and the item's error for a record that has no such value; null is one."""
    columns = json_columns(batch, names, item)
    for name, column in zip(names, columns, strict=True):
        if column.null_count:
            absent = column.is_null().index(True).as_py()
            msg = f"{batch.location(absent)} has no value {name!r}. Correct it."
            raise item.error(msg)
    return columns


def _columns(records: BytesColumn, names: Sequence[str]) -> list[TextColumn]:
    lines = pa.table({"line": records.view(pa.large_string())})
    wanted = [
        f"json_extract(line, {literal(_pointer(name))})::VARCHAR AS c{number}" for number, name in enumerate(names)
    ]
    found = _connection().from_arrow(lines).project(", ".join(wanted)).to_arrow_table()
    return [column.combine_chunks().cast(pa.large_string()) for column in found.columns]


def _marked(escape: re.Match[bytes]) -> bytes:
    """A half of a surrogate pair alone, which JSON allows and no UTF-8 holds, as a sign that stands for it."""
    return _HALF.encode("unicode_escape") if escape[1] else escape[0]


def _refuse_first_faulty(lines: Sequence[bytes], batch: Batch, item: Input) -> None:
    for index, line in enumerate(lines):
        try:
            orjson.loads(line)
        except ValueError as error:
            msg = f"{batch.location(index)} is no JSON: {error}. Correct it."
            raise item.error(msg) from error


def _refuse_first_marked(columns: Sequence[TextColumn], names: Sequence[str], batch: Batch, item: Input) -> None:
    """Two such values would be one key."""
    for name, column in zip(names, columns, strict=True):
        index = pc.index(pc.match_substring(column, _HALF), value=True).as_py()
        if index >= 0:
            msg = f"{batch.location(index)} has half a surrogate pair in {name!r}, which no text holds. Correct it."
            raise item.error(msg)


@lru_cache(maxsize=1)
def _connection() -> duckdb.DuckDBPyConnection:
    # One thread: the stage's others upload what was cut before.
    return duckdb.connect(":memory:", config={"threads": "1"})


def _pointer(name: str) -> str:
    """As a JSON pointer (RFC 6901): a.b/c -> /a/b~1c."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in filter(None, name.split(".")))
