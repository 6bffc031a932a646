"""Which first records of several tables are one header: it is dropped only where it is known to be one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triptych.engines.dialects.opening import COLUMNS, DIALECT, Opened, columns_digest, opened, refuse_other_table
from triptych.engines.dialects.record_ends import first_record
from triptych.engines.streams.contents import in_quotes
from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from triptych.engines.api import Input, Result

_NO_NAME = re.compile(r"[-+]?[\d.,:/+-]*\d[\d.,:/ T+%eEZ-]*")
"""Numbers, dates and times."""
_VALUES = frozenset(("", "true", "false", "yes", "no", "ok", "null", "none", "nan", "na", "n/a"))
"""Words that stand in rows rather than in headers."""
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class TablePart:
    """`item` is to be written but for its first `skipped` bytes."""

    item: Input
    skipped: int


@dataclass(frozen=True)
class _Table:
    """One result opened: whether its chunk began with the header that it begins with, and its first row."""

    opened: Opened
    is_told: bool
    row: Sequence[str]


def headed_tables(items: Sequence[tuple[Result, Input]], params: Mapping[str, Any]) -> list[TablePart]:
    """The first with its header, the others without; each is a result, or with it a table in it.

    A first record is known to be a header by the parameter `header`, by what the partitioner told of the chunk, or
    when all results begin with one record of words that differ, of which none is a number or a date. Raises the
    result's error where headers are known and differ, and where a record may be a header or the only row.
    """
    tables = [_open(result, item, params) for result, item in items]
    headed = _headed(tables, params["header"])
    known = [table for table, is_headed in zip(tables, headed, strict=True) if is_headed]
    for table in known[1:]:
        refuse_other_table(table.opened, known[0].opened)
    if known:
        header = in_quotes(known[0].opened.header[:200])
        _log.info("%d of %d results begin with the header %s", len(known), len(tables), header)
    first = headed.index(True) if known else -1
    return [
        TablePart(table.opened.item, table.opened.body if is_headed and number > first else 0)
        for number, (table, is_headed) in enumerate(zip(tables, headed, strict=True))
    ]


def _open(result: Result, item: Input, params: Mapping[str, Any]) -> _Table:
    told = result.metadata.get(COLUMNS)
    table = opened(item, params, format="auto")
    source = result.metadata.get(DIALECT)
    if told is not None and columns_digest(table.names) != told and isinstance(source, Mapping):
        # The result may be too short, or too odd, to show how it is written: the source was not.
        again = opened(item, {"dialect": {**(source or {}), "encoding": None}}, format="auto")
        table = again if columns_digest(again.names) == told else table
    return _Table(table, told is not None and columns_digest(table.names) == told, _row(table))


def _row(table: Opened) -> Sequence[str]:
    """The values of the first record behind the header, if there is one."""
    if table.body >= table.item.size:
        return ()
    text = first_record(table.item, table.dialect, table.body).decode(errors="replace")
    try:
        return next(csv.reader(io.StringIO(text, newline=""), **table.dialect.csv_options()), [])
    except csv.Error:
        return ()


def _headed(tables: Sequence[_Table], wanted: bool | None) -> list[bool]:
    """Of each table whether its first record is known to be a header."""
    if wanted is not None:
        return [wanted] * len(tables)
    by_format = [bool(table.opened.dialect.header_prefixes) for table in tables]
    if any(by_format) or any(table.is_told for table in tables):
        return [table.is_told or prefixed for table, prefixed in zip(tables, by_format, strict=True)]
    if len(tables) < 2 or not all(_are_names(table.opened.names) for table in tables):
        return [False] * len(tables)
    names = {tuple(table.opened.names) for table in tables}
    if len(names) == 1:
        _refuse_only_rows(tables)
        return [True] * len(tables)
    # Other names under which values are that no name could be: these are headers, too.
    are_sure = all(map(_has_values, tables)) or (
        len({tuple(sorted(each)) for each in names}) == 1 and len(tables[0].opened.names) > 1
    )
    return [are_sure] * len(tables)


def _are_names(names: Sequence[str]) -> bool:
    words = [name.strip().lower() for name in names]
    return len(set(words)) == len(words) and not any(word in _VALUES or _NO_NAME.fullmatch(word) for word in words)


def _has_values(table: _Table) -> bool:
    return any(_NO_NAME.fullmatch(value.strip()) for value in table.row)


def _refuse_only_rows(tables: Sequence[_Table]) -> None:
    """Where all results are this one record, or the same rows: whether that is a header, nothing shows."""
    rows = {tuple(table.row) for table in tables}
    if len(rows) == 1 and not any(map(_has_values, tables)):
        first = tables[0].opened
        text = (
            f"begins with {in_quotes(first.header[:200])}, as all results do, and nothing shows whether that is a "
            "header or a row. Set header to true or false."
        )
        raise first.item.error(text)
