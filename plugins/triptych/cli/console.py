"""What the command prints: results to standard output, everything else to standard error.

Text is text, here and in `--help`: no markup, no emoji, no HTML in it. What others wrote, a script, a file name or a
store's answer, steers no terminal. So nothing else in `cli` prints (`tests/unit/cli/test_console.py`).
"""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout

from rich.console import Console
from rich.table import Table
from rich.text import Text

from triptych.harmless import harmless, harmless_json, one_line
from triptych.schemas.diagnostics import Json

errors = Console(stderr=True, markup=False, emoji=False, highlight=False)
output = Console(markup=False, emoji=False, highlight=False)


def echo(text: str) -> None:
    """A line for people, beside the results."""
    errors.print(harmless(text), soft_wrap=True)


def echo_error(text: str) -> None:
    """The same in red, where standard error is a terminal: what is wrong, and what to do."""
    errors.print(harmless(text), style="red", soft_wrap=True)


def print_line(text: str) -> None:
    """A line of the result on standard output."""
    output.out(harmless(text))


def clear_screen() -> None:
    """Begin at the top, where standard output is a terminal."""
    if output.is_terminal:
        output.clear()


def print_stream(blocks: Iterable[bytes]) -> None:
    """What a script printed, on standard output; what is no UTF-8 in it has a mark."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for block in blocks:
        output.out(harmless(decoder.decode(block)), end="")
    output.out(harmless(decoder.decode(b"", final=True)), end="")


def print_json(value: Json) -> None:
    """Indented JSON on standard output, whatever the width of the terminal; what is no JSON as its text."""
    output.out(harmless_json(json.dumps(value, indent=2, ensure_ascii=False, default=str)))


def print_json_line(value: Json) -> None:
    """One line of JSON on standard output, at once: for programs that read as it comes."""
    output.out(harmless_json(json.dumps(value, ensure_ascii=False, default=str)))
    output.file.flush()


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """A table that never cuts a cell: narrow terminals get folded text, pipes and files a line a row."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    if not output.is_terminal and "COLUMNS" not in os.environ:
        output.width = table.__rich_measure__(output, output.options.update(max_width=sys.maxsize)).maximum
    output.print(table)


@contextmanager
def results_only() -> Iterator[None]:
    """What libraries print meanwhile goes to standard error: Airflow logs to standard output when it is imported."""
    with redirect_stdout(sys.stderr):
        yield


def encode_anything() -> None:
    """Let standard output write, as `\\u3042`, what its encoding lacks: a name in another script is no error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # A test's stand-in has none.
        if reconfigure:
            reconfigure(errors="backslashreplace")
