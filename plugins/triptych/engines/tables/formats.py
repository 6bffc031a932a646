"""Which format a table is in, by its name or its first bytes; and the one dialect of CSV.

CSV is read and written as RFC 4180 says: the first record is the header; records end with a line feed, in front of
which a carriage return is no part of the last value; a value is in quotes as a whole or not at all, a quote in it is
doubled, and delimiters and line ends in it belong to it. Lines that are empty are no records.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from triptych.engines.api import Input

EXTENSIONS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
DELIMITERS: Mapping[str, str] = {"csv": ",", "tsv": "\t"}
QUOTE = '"'
_BOM = b"\xef\xbb\xbf"


def format_of(item: Input, wanted: str = "auto", otherwise: str = "csv") -> str:
    """What the parameter says; with `auto` by the file's extension, else by its first bytes, else `otherwise`."""
    if wanted != "auto":
        return wanted
    extension = PurePosixPath(item.name).suffix.lower()
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    with item.open() as data:
        start = data.read(4).removeprefix(_BOM)
    return "parquet" if start == b"PAR1" else "jsonl" if start[:1] == b"{" else otherwise
