"""Which kind of table a file is."""

from __future__ import annotations

from pathlib import PurePosixPath

from triptych.engines.api import Result, Source

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
DELIMITERS = {"csv": ",", "tsv": "\t"}


def table_format(file: Source | Result, wanted: str) -> str:
    """What the parameter says; with auto by the file's name, else by its first bytes."""
    if wanted != "auto":
        return wanted
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix in EXTENSIONS:
        return EXTENSIONS[suffix]
    with file.open() as data:
        start = data.read(4)
    return "parquet" if start == b"PAR1" else "jsonl" if start[:1] == b"{" else "csv"
