"""All results as one Parquet dataset, rows in order of chunk; DuckDB reads, unifies and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.tables.duckdb_tables import Table, database, literal, name, tables
from triptych.errors import EngineError


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name`, or `column=value/.../name` for each value of the partition columns."""
    folder = resources().new_folder()
    with database() as connection:
        found = tables(connection, results, params["format"])
        if not found:
            return
        if params["schemas"] == "same":
            _refuse_differences(found)
        _refuse_unknown(found, params["partition_by"])
        rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {table.sql}" for table in found)
        target = folder if params["partition_by"] else folder / params["name"]
        connection.execute(f"COPY ({rows}) TO {literal(str(target))} ({_options(params)})")
    for path in sorted(folder.rglob("*.parquet")):
        # DuckDB numbers the files of a folder; with one thread's order there is one in each.
        output.put_file(path, _published(path.relative_to(folder), params))


def _options(params: Mapping[str, Any]) -> str:
    options = ["FORMAT parquet", f"COMPRESSION {params['compression']}", f"ROW_GROUP_SIZE {params['row_group_rows']}"]
    if params["partition_by"]:
        options += [f"PARTITION_BY ({', '.join(map(name, params['partition_by']))})"]
    return ", ".join(options)


def _published(path: Path, params: Mapping[str, Any]) -> str:
    if not params["partition_by"]:
        return params["name"]  # type: ignore[no-any-return]  # The schema says it is text.
    number = path.stem.rpartition("_")[2]
    own = params["name"] if number == "0" else f"{Path(params['name']).stem}_{number}.parquet"
    return f"{path.parent.as_posix()}/{own}"


def _refuse_differences(found: Sequence[Table]) -> None:
    first = found[0]
    for table in found[1:]:
        if table.columns != first.columns:
            msg = (
                f"{table.what}: has the columns {_told(table)}, and {first.what} has {_told(first)}. "
                "Correct the app, or set schemas to unify."
            )
            raise EngineError(msg)


def _refuse_unknown(found: Sequence[Table], wanted: Sequence[str]) -> None:
    for table in found:
        missing = [column for column in wanted if column not in table.columns]
        if missing:
            msg = f"{table.what}: there is no column {missing[0]!r} to partition by; it has {_told(table)}."
            raise EngineError(msg)


def _told(table: Table) -> str:
    return ", ".join(f"{column} {kind}" for column, kind in table.columns.items())
