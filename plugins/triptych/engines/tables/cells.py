"""Values of tables of any format in columns of text, so that they can be compared and written in another format.

A cell is the text itself, or, for a JSON value that is no text, NUL and its JSON. Null is a value that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.text_columns import MaskColumn, TextColumn, any_true, by_unique, holds, replaced, scalar
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.jsontext.paths import Json
from triptych.engines.tables.text_codec import quoted

NUL = "\0"
NULL_CELL = NUL + "null"
NUMBER = r"^\x00-?[0-9]"
Cells: TypeAlias = TextColumn
"""A cell per row: of the values a, 1.50 as text, 1, null and one that is not there: a, 1.50, NUL 1, NUL null, null."""
_ABSENT = object()
_encoded = json.JSONEncoder(ensure_ascii=False).encode


def text_cells(texts: TextColumn) -> Cells:
    """Of texts, which stay as they are but for those that begin with NUL."""
    return _where_marked(texts, lambda text: NUL + _encoded(text))


def json_cells(rows: Sequence[Mapping[str, Any]], name: str) -> Cells:
    """Of the values of this name in JSON objects."""
    return pa.array((_json_cell(row.get(name, _ABSENT)) for row in rows), pa.large_string())


def _json_cell(value: Any) -> str | None:
    if type(value) is str and not value.startswith(NUL):
        return value
    return None if value is _ABSENT else NUL + json_of(value)


def json_of(value: Json) -> str:
    """As Python's encoder writes it, with characters beyond ASCII as they are."""
    # Numbers as the encoder writes them, but sooner.
    return repr(value) if type(value) in (int, float) else _encoded(value)


def filled(cells: Cells) -> MaskColumn:
    """Which cells are there and are neither empty nor null."""
    return pc.and_(pc.not_equal(cells, ""), pc.not_equal(cells, NULL_CELL)).fill_null(False)


def same(one: str, other: str) -> bool:
    """Whether the values are equal: 1 and 1.0 are, 1 and the text "1" are not."""
    both_json = one.startswith(NUL) and other.startswith(NUL)
    return one == other or (both_json and bool(value_of(one) == value_of(other)))


def value_of(cell: str) -> Json:
    """What the cell stands for: its text, or the JSON behind NUL as a Python value."""
    value: Json = json.loads(cell[1:]) if cell.startswith(NUL) else cell
    return value


def rows_writer(format: str, names: Sequence[str]) -> Callable[[Mapping[str, Cells]], TextColumn]:
    """From columns of cells, as many as there are names, to rows as they are written, each with its line end."""
    if format == "jsonl":
        return lambda cells: _json_rows([(name, cells[name]) for name in names])
    return lambda cells: _csv_rows([cells[name] for name in names], DELIMITERS[format])


def csv_header(names: Sequence[str], format: str) -> bytes:
    """The names as one record of CSV or TSV, in quotes where they need it."""
    row: str = _csv_rows([pa.array([name], pa.large_string()) for name in names], DELIMITERS[format])[0].as_py()
    return row.encode()


def _csv_rows(columns: Sequence[Cells], delimiter: str) -> TextColumn:
    texts = [quoted(_csv_texts(cells.fill_null("")), delimiter) for cells in columns]
    if len(texts) == 1:
        # An empty line would be no row.
        texts = [pc.if_else(pc.equal(texts[0], ""), '""', texts[0])]
    rows = pc.binary_join_element_wise(*texts, scalar(delimiter))
    return pc.binary_join_element_wise(rows, scalar(""), scalar("\n"))


def _csv_texts(cells: Cells) -> TextColumn:
    if not holds(cells, NUL.encode()):
        return cells
    # Python writes numbers as JSON does.
    numbers = pc.match_substring_regex(cells, NUMBER)
    return _where_marked(pc.replace_with_mask(cells, numbers, _unmarked(cells.filter(numbers))), _csv_text)


def _csv_text(cell: str) -> str:
    value = value_of(cell)
    return "" if value is None else str(value)


def _json_rows(columns: Sequence[tuple[str, Cells]]) -> TextColumn:
    members = [
        pc.binary_join_element_wise(scalar(_encoded(name)), _json_values(cells), scalar(": "))
        for name, cells in columns
    ]
    inner = pc.binary_join_element_wise(*members, scalar(", "), null_handling="skip")
    return pc.binary_join_element_wise(scalar("{"), inner, scalar("}\n"), scalar(""))


def _json_values(cells: Cells) -> TextColumn:
    texts = pc.binary_join_element_wise(scalar('"'), cells, scalar('"'), scalar(""))
    special = pc.match_substring_regex(cells, r'["\\\x00-\x1f]').fill_null(False)
    if not any_true(special):
        return texts
    marked = _marked(cells)
    escaped = pc.and_not(special, marked)
    texts = pc.replace_with_mask(texts, escaped, by_unique(cells.filter(escaped), _encoded))
    return pc.replace_with_mask(texts, marked, _unmarked(cells.filter(marked)))


def _unmarked(cells: Cells) -> TextColumn:
    """The JSON in cells that are marked."""
    return pc.replace_substring(cells, NUL, "", max_replacements=1)


def _marked(cells: Cells) -> MaskColumn:
    return pc.starts_with(cells, NUL).fill_null(False)


def _where_marked(cells: Cells, work: Callable[[str], str]) -> TextColumn:
    return replaced(cells, _marked(cells), work)
