"""Values of tables of any format in columns of text, so that they can be compared and written in another format.

A cell is the text itself, or, for a JSON value that is no text, NUL and its JSON. Null is a value that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from triptych.engines.arrays.text_columns import by_unique, holds, replaced, scalar
from triptych.engines.runtime.resources import need
from triptych.engines.tables.formats import DELIMITERS
from triptych.engines.tables.text_codec import quoted

NUL = "\0"
NULL_CELL = NUL + "null"
NUMBER = r"^\x00-?[0-9]"
_ABSENT = object()
_encoded = json.JSONEncoder(ensure_ascii=False).encode


def text_cells(texts: Any) -> Any:
    """Of large strings."""
    return _where_marked(texts, lambda text: NUL + _encoded(text))


def json_cells(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    """Of the values of this name in JSON objects."""
    values = [row.get(name, _ABSENT) for row in rows]
    return need("pyarrow", "tables").array(map(_json_cell, values), need("pyarrow", "tables").large_string())


def _json_cell(value: Any) -> str | None:
    if type(value) is str and not value.startswith(NUL):
        return value
    return None if value is _ABSENT else NUL + json_of(value)


def json_of(value: Any) -> str:
    # Numbers as the encoder writes them, but sooner.
    return repr(value) if type(value) in (int, float) else _encoded(value)


def filled(cells: Any) -> Any:
    """Which cells are there and are neither empty nor null."""
    pc = need("pyarrow.compute", "tables")
    return pc.and_(pc.not_equal(cells, ""), pc.not_equal(cells, NULL_CELL)).fill_null(False)


def same(one: str, other: str) -> bool:
    """Whether the values are equal: 1 and 1.0 are, 1 and the text "1" are not."""
    both_json = one.startswith(NUL) and other.startswith(NUL)
    return one == other or (both_json and bool(value_of(one) == value_of(other)))


def value_of(cell: str) -> Any:
    return json.loads(cell[1:]) if cell.startswith(NUL) else cell


def rows_writer(form: str, names: Sequence[str]) -> Callable[[Mapping[str, Any]], Any]:
    """From columns of cells, as many as there are names, to rows as they are written, an array of large strings."""
    if form == "jsonl":
        return lambda cells: _json_rows([(name, cells[name]) for name in names])
    return lambda cells: _csv_rows([cells[name] for name in names], DELIMITERS[form])


def csv_header(names: Sequence[str], form: str) -> bytes:
    pa = need("pyarrow", "tables")
    row: str = _csv_rows([pa.array([name], pa.large_string()) for name in names], DELIMITERS[form])[0].as_py()
    return row.encode()


def _csv_rows(columns: Sequence[Any], delimiter: str) -> Any:
    pc = need("pyarrow.compute", "tables")
    texts = [quoted(_csv_texts(cells.fill_null("")), delimiter) for cells in columns]
    if len(texts) == 1:
        # An empty line would be no row.
        texts = [pc.if_else(pc.equal(texts[0], ""), '""', texts[0])]
    rows = pc.binary_join_element_wise(*texts, scalar(delimiter))
    return pc.binary_join_element_wise(rows, scalar(""), scalar("\n"))


def _csv_texts(cells: Any) -> Any:
    if not holds(cells, NUL.encode()):
        return cells
    pc = need("pyarrow.compute", "tables")
    # Python writes numbers as JSON does.
    numbers = pc.match_substring_regex(cells, NUMBER)
    return _where_marked(pc.replace_with_mask(cells, numbers, _unmarked(cells.filter(numbers))), _csv_text)


def _csv_text(cell: str) -> str:
    value = value_of(cell)
    return "" if value is None else str(value)


def _json_rows(columns: Sequence[tuple[str, Any]]) -> Any:
    pc = need("pyarrow.compute", "tables")
    members = [
        pc.binary_join_element_wise(scalar(_encoded(name)), _json_values(cells), scalar(": "))
        for name, cells in columns
    ]
    inner = pc.binary_join_element_wise(*members, scalar(", "), null_handling="skip")
    return pc.binary_join_element_wise(scalar("{"), inner, scalar("}\n"), scalar(""))


def _json_values(cells: Any) -> Any:
    pc = need("pyarrow.compute", "tables")
    texts = pc.binary_join_element_wise(scalar('"'), cells, scalar('"'), scalar(""))
    special = pc.match_substring_regex(cells, r'["\\\x00-\x1f]').fill_null(False)
    if not pc.any(special).as_py():
        return texts
    marked = _marked(cells)
    escaped = pc.and_not(special, marked)
    texts = pc.replace_with_mask(texts, escaped, by_unique(cells.filter(escaped), _encoded))
    return pc.replace_with_mask(texts, marked, _unmarked(cells.filter(marked)))


def _unmarked(cells: Any) -> Any:
    """The JSON in cells that are marked."""
    return need("pyarrow.compute", "tables").replace_substring(cells, NUL, "", max_replacements=1)


def _marked(cells: Any) -> Any:
    return need("pyarrow.compute", "tables").starts_with(cells, NUL).fill_null(False)


def _where_marked(cells: Any, work: Callable[[str], str]) -> Any:
    return replaced(cells, _marked(cells), work)
