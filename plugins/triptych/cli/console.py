"""What the command prints: results to standard output, everything else to standard error."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from triptych.schemas.diagnostics import Json

errors = Console(stderr=True)
output = Console()


def echo(text: str) -> None:
    """A line for people, beside the results."""
    errors.print(text, markup=False, highlight=False, soft_wrap=True)


def echo_error(text: str) -> None:
    """The same in red, where standard error is a terminal: what is wrong, and what to do."""
    errors.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def print_json(value: Json) -> None:
    """Indented JSON on standard output, whatever the width of the terminal; what is no JSON as its text."""
    output.out(json.dumps(value, indent=2, ensure_ascii=False, default=str), highlight=False)


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """A table that never cuts a cell: narrow terminals and pipes get folded text. No control characters."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_printable, row))
    output.print(table, markup=False)


def _printable(text: str) -> str:
    """Names of chunks and what scripts said are others' words, and could steer the terminal: `\\x1b` for such a one."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
