"""Results as tables with types: CSV by `column_types` over all results, JSON by DuckDB, Parquet as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from triptych.engines.api import Input, Result
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, opened, refuse_double_names
from triptych.engines.documents.contained import tables_in
from triptych.engines.jsontext.records import json_batches
from triptych.engines.tables.column_types import ColumnType, Unfit, declared_type, typed
from triptych.engines.tables.csv_batches import CsvTable
from triptych.engines.tables.duckdb_tables import identifier, literal
from triptych.engines.tables.parquet import BATCH_ROWS, open_parquet

EXACT_DIGITS = 15
"""A whole number of so many digits is a float, too."""
_GUESSED = re.compile(r'("(?:[^"]|"")*")|\b(?:DATE|TIME|TIMESTAMP(?:_NS)?(?: WITH TIME ZONE)?|UUID)\b')
"""What DuckDB takes texts of JSON for; names in quotes are none."""
_APPROXIMATE = frozenset(("DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT"))


class TypedTable(Protocol):
    """One result."""

    @property
    def item(self) -> Input:
        """What is read, which names itself in messages."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns and their types."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its rows, in its schema."""


@dataclass
class Columns:
    """What is known of the columns of all CSV results, by name; `declared` are types that a user names."""

    declared: Mapping[str, str]
    text_only: bool = False
    found: dict[str, ColumnType] = field(default_factory=dict)

    def add(self, table: CsvTable, decimal: str | None) -> None:
        """Look at all values of a table; raises its error for a record that has not one for each column."""
        names = column_names(table.names)
        mine = [self._column(name, decimal) for name in names]
        for _, texts in table.whole():
            for column, values in zip(mine, texts, strict=True):
                column.add(values)

    def type_of(self, name: str) -> tuple[pa.DataType, str]:
        """As `ColumnType.read`; a declared type has the decimal separator of its values."""
        dtype, decimal = self.found[name].read()
        return (declared_type(self.declared[name]), decimal) if name in self.declared else (dtype, decimal)

    def _column(self, name: str, decimal: str | None) -> ColumnType:
        if name not in self.found:
            self.found[name] = ColumnType(text_only=self.text_only, decimal=decimal)
        return self.found[name]


def column_names(names: Sequence[str]) -> list[str]:
    """As they are; one that is empty is called by its number: ["a", ""] -> ["a", "column1"]."""
    return [name or f"column{index}" for index, name in enumerate(names)]


def typed_tables(
    connection: duckdb.DuckDBPyConnection, results: Sequence[Result], params: Mapping[str, Any]
) -> list[TypedTable]:
    """Every result that is not empty; raises the error of one that cannot be read."""
    columns = Columns(params["types"], params["text_only"])
    tables: list[TypedTable] = []
    for item in (each for result in filter(_has_bytes, results) for each in tables_in(result, arrow=True)):
        table = opened(item, params, binaries=("parquet",))
        if table.format == "parquet":
            tables.append(TypedParquet(table.item))
        elif table.format in DELIMITERS:
            tables.append(TextTable(table, columns))
            decimal = params["dialect"].get("decimal") or ("." if table.dialect.delimiter == "," else None)
            columns.add(CsvTable(table), decimal)
        else:
            tables.append(JsonTable(table.item, connection, columns))
    return tables


def _has_bytes(result: Result) -> bool:
    return result.size > 0


@dataclass(frozen=True)
class TextTable:
    """CSV and its kin."""

    opened: Opened
    columns: Columns

    @property
    def item(self) -> Input:
        return self.opened.item

    @cached_property
    def schema(self) -> pa.Schema:
        refuse_double_names(self.opened)
        return pa.schema([(name, self.columns.type_of(name)[0]) for name in column_names(self.opened.names)])

    def batches(self) -> Iterator[pa.RecordBatch]:
        types = [self.columns.type_of(name) for name in self.schema.names]
        for location, texts in CsvTable(self.opened).whole():
            arrays = []
            for name, values, (dtype, decimal) in zip(self.schema.names, texts, types, strict=True):
                try:
                    arrays.append(typed(values, dtype, decimal).cast(dtype))
                except Unfit as error:
                    raise _unfit(self.item, location(error.index), error.value, name, self.columns) from error
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _unfit(item: Input, location: str, value: str, name: str, columns: Columns) -> Exception:
    text = f"{location}: {value[:60]!r} in {name!r} is no {columns.declared.get(name)}. Correct it, or declare text."
    return item.error(text)


@dataclass(frozen=True)
class TypedParquet:
    """As it is: its types, zones, durations, nested columns, and which are never null."""

    item: Input

    @cached_property
    def schema(self) -> pa.Schema:
        with self.item.open() as data:
            return open_parquet(data, self.item).schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        with self.item.open() as data:
            yield from open_parquet(data, self.item).batches()


@dataclass(frozen=True)
class JsonTable:
    """JSON Lines: its own numbers, words and containers; texts stay text, and whole numbers are exact."""

    item: Input
    connection: duckdb.DuckDBPyConnection
    columns: Columns

    @cached_property
    def _described(self) -> Mapping[str, str]:
        """DuckDB's own type of each column, by all rows."""
        rows = self._run(f"DESCRIBE SELECT * FROM {self._read(None)}").fetchall()
        return {row[0]: row[1] for row in rows}

    @cached_property
    def _types(self) -> Mapping[str, str]:
        """The same without what it would guess."""
        found = {
            name: _GUESSED.sub(lambda match: match[1] or "VARCHAR", dtype) for name, dtype in self._described.items()
        }
        wide = self._wide([name for name, dtype in found.items() if dtype in _APPROXIMATE])
        chosen = {name: "VARCHAR" if name in wide else dtype for name, dtype in found.items()}
        return {name: "VARCHAR" if self.columns.text_only else dtype for name, dtype in chosen.items()}

    def _wide(self, names: Sequence[str]) -> frozenset[str]:
        """Those with whole numbers that a float may not hold; their texts are the numbers' own digits."""
        if not names:
            return frozenset()
        longest = [f"max(length(regexp_extract({identifier(name)}, '^-?[0-9]+$')))" for name in names]
        query = f"SELECT {', '.join(longest)} FROM {self._read(dict.fromkeys(names, 'VARCHAR'))}"
        found = self._run(query).fetchone() or ()
        return frozenset(name for name, most in zip(names, found, strict=True) if (most or 0) > EXACT_DIGITS)

    @cached_property
    def _texts(self) -> Mapping[str, tuple[pa.DataType, str]]:
        """The types of columns that are read as text: declared ones, and those of long whole numbers."""
        names = [name for name, dtype in self._types.items() if dtype == "VARCHAR"]
        made = {name: (declared_type(said), ".") for name, said in self.columns.declared.items() if name in names}
        approximate = [name for name in names if name not in made and self._described[name] in _APPROXIMATE]
        found = {name: ColumnType() for name in approximate}
        for batch in self._batches() if found else ():
            for name, column in found.items():
                column.add(batch.column(name).cast(pa.large_string()))
        return {**made, **{name: column.read() for name, column in found.items()}}

    @cached_property
    def schema(self) -> pa.Schema:
        fields = self._reader(" LIMIT 0").schema
        return pa.schema([each.with_type(self._texts.get(each.name, (each.type, "."))[0]) for each in fields])

    def batches(self) -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in self._batches():
            arrays = []
            for each, values in zip(self.schema, batch.columns, strict=True):
                dtype, decimal = self._texts.get(each.name, (each.type, "."))
                try:
                    is_text = each.name in self._texts
                    arrays.append(
                        typed(values.cast(pa.large_string()), dtype, decimal).cast(dtype) if is_text else values
                    )
                except Unfit as error:
                    place = f"record {first + error.index + 1}"
                    raise _unfit(self.item, place, error.value, each.name, self.columns) from error
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            first += batch.num_rows

    def _reader(self, bound: str = "") -> pa.RecordBatchReader:
        try:
            return (
                self.connection.cursor()
                .sql(f"SELECT * FROM {self._read(self._types)}{bound}")
                .to_arrow_reader(BATCH_ROWS)
            )
        except duckdb.Error as error:
            raise self._refused() from error

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._reader()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._refused() from error

    def _read(self, types: Mapping[str, str] | None) -> str:
        # All rows are looked at: a field that only later ones have would be left out without a word.
        options = ["format = 'newline_delimited'", "sample_size = -1"]
        if types is not None:
            columns = ", ".join(f"{literal(name)}: {literal(dtype)}" for name, dtype in types.items())
            options[1] = f"columns = {{{columns}}}"
        return f"read_json({literal(str(self.item.local_path()))}, {', '.join(options)})"

    def _run(self, query: str) -> duckdb.DuckDBPyConnection:
        try:
            return self.connection.cursor().execute(query)
        except duckdb.Error as error:
            raise self._refused() from error

    def _refused(self) -> Exception:
        """The first line that is no object, in our own words: DuckDB's name a scratch path."""
        for batch in json_batches(self.item):
            if (other := batch.other_than_object()) is not None:
                return self.item.error(f"cannot be read as a table: {other}. Write JSON Lines.")
        return self.item.error("cannot be read as a table: it is no JSON Lines, an object in each line. Correct it.")


def unified(tables: Iterable[TypedTable]) -> pa.Schema:
    """Columns of all tables by name, in the order in which they first occur, each with a type that all values have.

    A column is never null only where all tables have it so. Where types have nothing in common it is text; raises the
    table's error where one of these is nested.
    """
    tables = list(tables)
    if all(table.schema.equals(tables[0].schema, check_metadata=True) for table in tables):
        return tables[0].schema
    names = dict.fromkeys(name for table in tables for name in table.schema.names)
    return pa.schema([_unified_field(name, tables) for name in names])


def _unified_field(name: str, tables: Sequence[TypedTable]) -> pa.Field:
    having = [table for table in tables if name in table.schema.names]
    found = pa.schema([having[0].schema.field(name).remove_metadata()])
    for table in having[1:]:
        own = pa.schema([table.schema.field(name).remove_metadata()])
        try:
            found = pa.unify_schemas([found, own], promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            types = found.field(0).type, own.field(0).type
            if any(map(pa.types.is_nested, types)):
                text = f"{name!r} is {types[1]}, and {types[0]} in {having[0].item.label}. Correct the app."
                raise table.item.error(text) from error
            found = pa.schema([(name, pa.string())])
    is_never_null = len(having) == len(tables) and not any(table.schema.field(name).nullable for table in having)
    return found.field(0).with_nullable(not is_never_null)


def in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the schema's columns: those that it lacks are null, those of other types converted."""
    arrays = [
        batch.column(each.name).cast(each.type) if each.name in batch.schema.names else pa.nulls(len(batch), each.type)
        for each in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
