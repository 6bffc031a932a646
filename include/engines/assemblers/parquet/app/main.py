"""All results as one Parquet dataset, rows in order of chunk; types are those of all results together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from triptych.engines import Output, Result, resources
from triptych.engines.tables.duckdb_tables import database, identifier, literal
from triptych.engines.tables.typed_tables import TypedTable, in_schema, typed_tables, unified

GROUP_SHARE = 1 / 8
"""Of the engine's memory, for the rows of a group that is not full yet."""
UNIT_ROWS = 2048


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name`, or `column=value/.../name` for each value of the partition columns."""
    with database() as connection:
        tables = typed_tables(connection, results, params)
        if not tables:
            return
        if params["schemas"] == "same":
            _refuse_differences(tables)
        _refuse_unknown(tables, params["partition_by"])
        whole = resources().new_folder() / "whole.parquet"
        _write(whole, tables, params)
        if not params["partition_by"]:
            output.put_file(whole, params["name"])
            return
        folder = resources().new_folder()
        source = f"read_parquet({literal(str(whole))}, hive_partitioning = false)"
        connection.execute(f"COPY (SELECT * FROM {source}) TO {literal(str(folder))} ({_options(params)})")
    for path in sorted(folder.rglob("*.parquet")):
        # DuckDB numbers the files of a folder; with one thread's order there is one in each.
        output.put_file(path, _published(path.relative_to(folder), params))


def _write(path: Path, tables: Sequence[TypedTable], params: Mapping[str, Any]) -> None:
    schema = unified(tables)
    codec = {"uncompressed": "none"}.get(params["compression"], params["compression"])
    rows = -(-params["row_group_rows"] // UNIT_ROWS) * UNIT_ROWS
    batches = (in_schema(batch, schema) for table in tables for batch in table.batches())
    with pq.ParquetWriter(path, schema, compression=codec) as writer:
        for group in _row_groups(batches, rows):
            writer.write_table(group, row_group_size=rows)


def _row_groups(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of so many rows each; the last has fewer, and so has one that takes GROUP_SHARE of the memory."""
    held: list[pa.RecordBatch] = []
    count = size = 0
    most = resources().share(GROUP_SHARE).bytes
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            taken = batch.slice(start, rows - count)
            held.append(taken)
            start, count, size = start + taken.num_rows, count + taken.num_rows, size + taken.nbytes
            if count == rows or size > most:
                yield pa.Table.from_batches(held)
                held, count, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


def _options(params: Mapping[str, Any]) -> str:
    columns = ", ".join(map(identifier, params["partition_by"]))
    sizes = f"COMPRESSION {params['compression']}, ROW_GROUP_SIZE {params['row_group_rows']}"
    return f"FORMAT parquet, {sizes}, PARTITION_BY ({columns})"


def _published(path: Path, params: Mapping[str, Any]) -> str:
    number = path.stem.rpartition("_")[2]
    own = params["name"] if number == "0" else f"{Path(params['name']).stem}_{number}.parquet"
    return f"{path.parent.as_posix()}/{own}"


def _refuse_differences(tables: Sequence[TypedTable]) -> None:
    first = tables[0]
    for table in tables[1:]:
        if not table.schema.remove_metadata().equals(first.schema.remove_metadata()):
            text = f"has the columns {_listed(table)}, and {first.item.label} has {_listed(first)}."
            msg = f"{text} Correct the app, or set schemas to unify."
            raise table.item.error(msg)


def _refuse_unknown(tables: Sequence[TypedTable], wanted: Sequence[str]) -> None:
    for table in tables:
        missing = [column for column in wanted if column not in table.schema.names]
        if missing:
            msg = f"there is no column {missing[0]!r} to partition by; it has {_listed(table)}."
            raise table.item.error(msg)


def _listed(table: TypedTable) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in table.schema)
