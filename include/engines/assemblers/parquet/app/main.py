"""All results as one Parquet dataset, rows in order of chunk; DuckDB reads, unifies and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.tables.duckdb_tables import DuckTable, database, duck_tables, identifier, literal


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name`, or `column=value/.../name` for each value of the partition columns."""
    folder = resources().new_folder()
    with database() as connection:
        tables = duck_tables(connection, results, params)
        if not tables:
            return
        if params["schemas"] == "same":
            _refuse_differences(tables)
        _refuse_unknown(tables, params["partition_by"])
        rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {table.sql}" for table in tables)
        target = folder if params["partition_by"] else folder / params["name"]
        connection.execute(f"COPY ({rows}) TO {literal(str(target))} ({_options(params)})")
    for path in sorted(folder.rglob("*.parquet")):
        # DuckDB numbers the files of a folder; with one thread's order there is one in each.
        output.put_file(path, _published(path.relative_to(folder), params))


def _options(params: Mapping[str, Any]) -> str:
    options = ["FORMAT parquet", f"COMPRESSION {params['compression']}", f"ROW_GROUP_SIZE {params['row_group_rows']}"]
    if params["partition_by"]:
        options += [f"PARTITION_BY ({', '.join(map(identifier, params['partition_by']))})"]
    return ", ".join(options)


def _published(path: Path, params: Mapping[str, Any]) -> str:
    if not params["partition_by"]:
        return params["name"]  # type: ignore[no-any-return]  # The schema says it is text.
    number = path.stem.rpartition("_")[2]
    own = params["name"] if number == "0" else f"{Path(params['name']).stem}_{number}.parquet"
    return f"{path.parent.as_posix()}/{own}"


def _refuse_differences(tables: Sequence[DuckTable]) -> None:
    first = tables[0]
    for table in tables[1:]:
        if table.columns != first.columns:
            text = f"has the columns {_listed(table)}, and {first.result.label} has {_listed(first)}."
            msg = f"{text} Correct the app, or set schemas to unify."
            raise table.result.error(msg)


def _refuse_unknown(tables: Sequence[DuckTable], wanted: Sequence[str]) -> None:
    for table in tables:
        missing = [column for column in wanted if column not in table.columns]
        if missing:
            msg = f"there is no column {missing[0]!r} to partition by; it has {_listed(table)}."
            raise table.result.error(msg)


def _listed(table: DuckTable) -> str:
    return ", ".join(f"{column} {dtype}" for column, dtype in table.columns.items())
