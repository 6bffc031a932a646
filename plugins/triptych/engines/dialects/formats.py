"""Which format a table is in, by its first bytes or its name."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from triptych.engines.streams.contents import binary_of, first_bytes

if TYPE_CHECKING:
    from triptych.engines.api import Input

EXTENSIONS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".vcf": "vcf",
    ".sam": "sam",
}
DELIMITERS: Mapping[str, str] = {"csv": ",", "tsv": "\t", "vcf": "\t", "sam": "\t"}
"""Of the formats that are delimited text; a file of `csv` or `tsv` may show another."""


def format_of(item: Input, wanted: str = "auto", otherwise: str = "csv") -> str:
    """What the parameter says; with `auto` by the first bytes of Parquet, by the extension, by other first bytes.

    The item is one that `as_text` has looked at. Raises its error where Parquet is to be read as something else.
    """
    head = first_bytes(item) if item.size else b""
    binary = binary_of(head)
    if binary is not None and binary.name == "parquet":
        if wanted not in ("auto", "parquet"):
            text = f"is Parquet, and format is {wanted}. Set format to parquet, or to auto."
            raise item.error(text)
        return "parquet"
    if wanted != "auto":
        return wanted
    extension = PurePosixPath(item.name).suffix.lower()
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    start = head.removeprefix(BOM_UTF8)
    if start.startswith(b"##fileformat=VCF"):
        return "vcf"
    return "jsonl" if start[:1] == b"{" else otherwise
