"""Values inside JSON Lines, by dotted name, as columns: DuckDB reads them without a Python object per record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from triptych.engines.runtime.resources import need
from triptych.engines.tables.csv_batches import Batch, line_batches
from triptych.engines.tables.duckdb_tables import literal
from triptych.errors import SourceError

EXTRA = "tables"


def json_batches(blocks: Iterable[bytes], uri: str) -> Iterator[Batch]:
    """The records of JSON Lines: its lines, but those of white space."""
    import numpy as np

    for batch in line_batches(blocks, uri):
        indented = np.flatnonzero(np.frombuffer(batch.data, np.uint8)[batch.starts] <= ord(" ")).tolist()
        blank = [at for at in indented if not batch.data[batch.starts[at] : batch.ends[at]].strip()]
        yield replace(batch, starts=np.delete(batch.starts, blank), ends=np.delete(batch.ends, blank))


def json_columns(batch: Batch, names: Sequence[str], uri: str) -> list[Any]:
    """The JSON text of each named value (`a.b.0`: keys and list indices; an empty name is the whole), in compact form.

    pyarrow arrays of text, null where a record has no such value. SourceError names the line that is no JSON.
    """
    pa = need("pyarrow", EXTRA)
    lines = pa.table({"line": batch.records().view(pa.large_string())})
    wanted = [f"json_extract(line, {literal(_pointer(name))})::VARCHAR AS c{at}" for at, name in enumerate(names)]
    try:
        found = _connection().from_arrow(lines).project(", ".join(wanted)).to_arrow_table()
    except (need("duckdb", EXTRA).Error, UnicodeDecodeError) as error:  # The latter, where its message quotes bytes.
        _refuse_first_fault(batch, uri)
        msg = f"{uri}: a line cannot be read as JSON: {str(error).splitlines()[0]}"
        raise SourceError(msg) from error
    return [column.combine_chunks().cast(pa.large_string()) for column in found.columns]


def _refuse_first_fault(batch: Batch, uri: str) -> None:
    loads = need("orjson", EXTRA).loads
    for number, line in enumerate(batch.records().to_pylist()):
        try:
            loads(line)
        except ValueError as error:
            msg = f"{uri}: {batch.place(number)} is no JSON: {error}. Correct it."
            raise SourceError(msg) from error


@lru_cache(maxsize=1)
def _connection() -> Any:
    # One thread: the stage's others upload what was cut before.
    return need("duckdb", EXTRA).connect(":memory:", config={"threads": 1})


def _pointer(name: str) -> str:
    """As a JSON pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in filter(None, name.split(".")))
