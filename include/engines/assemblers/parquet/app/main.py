"""Results as Parquet data sets, rows in order of chunk; types are those of all of a data set's results together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from triptych.engines import Output, Result, resources
from triptych.engines.contracts import output_names
from triptych.engines.tables.datasets import WHOLE, datasets
from triptych.engines.tables.duckdb_tables import database, identifier, literal
from triptych.engines.tables.typed_tables import TypedTable, in_schema, typed_tables, unified

if TYPE_CHECKING:
    import duckdb

GROUP_SHARE = 1 / 8
"""Of the engine's memory, for the rows of a group that is not full yet."""
UNIT_ROWS = 2048


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """`name`, or `column=value/.../name` for each value of the partition columns.

    Of several data sets each has its results' name: `fact.parquet`, or `fact/column=value/.../name`.
    """
    filled = [result for result in results if result.size]
    if not filled:
        return
    with database() as connection:

        def tables_of(chosen: Sequence[Result]) -> list[TypedTable]:
            return typed_tables(connection, chosen, params)

        named = datasets(filled, params["datasets"], lambda result: tables_of([result])[0].schema.names)
        if WHOLE in named:
            _put(output, tables_of(filled), params["name"], "", params, connection)
            return
        names = output_names(list(named), ".parquet")
        tables = {name: tables_of(chosen) for name, chosen in zip(names, named.values(), strict=True)}
        partitioned = _partitioned(tables, params["partition_by"])
        for name, each in tables.items():
            if name in partitioned:
                _put(output, each, params["name"], f"{name.removesuffix('.parquet')}/", params, connection)
            else:
                _put(output, each, name, "", {**params, "partition_by": []}, connection)


def _put(
    output: Output,
    tables: Sequence[TypedTable],
    name: str,
    folder: str,
    params: Mapping[str, Any],
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """One data set."""
    if params["schemas"] == "same":
        _refuse_differences(tables)
    _refuse_unknown(tables, params["partition_by"])
    scratch = resources().new_folder()
    _write(scratch / "whole.parquet", tables, params)
    if not params["partition_by"]:
        output.put_file(scratch / "whole.parquet", name)
        return
    source = f"read_parquet({literal(str(scratch / 'whole.parquet'))}, hive_partitioning = false)"
    connection.execute(f"COPY (SELECT * FROM {source}) TO {literal(str(scratch / 'parts'))} ({_options(params)})")
    for path in sorted((scratch / "parts").rglob("*.parquet")):
        # DuckDB numbers the files of a folder; with one thread's order there is one in each.
        output.put_file(path, folder + _published(path.relative_to(scratch / "parts"), params))


def _partitioned(tables: Mapping[str, Sequence[TypedTable]], columns: Sequence[str]) -> set[str]:
    """The data sets that have all partition columns; raises the first one's error where none has them."""
    having = {name for name, each in tables.items() if all(set(columns) <= set(table.schema.names) for table in each)}
    if columns and not having:
        _refuse_unknown(next(iter(tables.values())), columns)
    return having if columns else set()


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
