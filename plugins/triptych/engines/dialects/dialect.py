"""What a dialect of delimited text is: RFC 4180 unless something else is declared or found."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from triptych.engines.streams.contents import UTF_8
from triptych.errors import JobSpecError

SAM_COLUMNS = ("QNAME", "FLAG", "RNAME", "POS", "MAPQ", "CIGAR", "RNEXT", "PNEXT", "TLEN", "SEQ", "QUAL")
"""Those that every record of a SAM file has (SAMv1, 1.4); others follow."""


@dataclass(frozen=True)
class Dialect:
    """One-character delimiter, quote and escape; `""` where there is none.

    A quote counts at the start of a value only; a quote in a quoted value is doubled, or follows the escape. Records
    end with a line feed, a carriage return, or both. Lines that begin with `comment_prefix` are no records. The first
    `skip_rows` lines are left out; then `header_rows` records are the header, of which the first has the names.
    """

    delimiter: str = ","
    quote_char: str = '"'
    escape_char: str = ""
    decimal: str = "."
    comment_prefix: str = ""
    skip_rows: int = 0
    header_rows: int = 1
    encoding: str = UTF_8
    header_prefixes: tuple[str, ...] = ()
    """Lines at the beginning that begin with one of these are the header: `##` and `#` in VCF, `@` in SAM."""
    columns: tuple[str, ...] = ()
    """The names, where no header has them."""
    cr_ends: bool = True
    """Whether a carriage return that no line feed follows ends a record."""

    def to_metadata(self) -> dict[str, Any]:
        """What differs from RFC 4180, and always the delimiter: `{"delimiter": ";"}`."""
        plain = Dialect()
        named = asdict(self)
        shown = {name: value for name, value in named.items() if value != getattr(plain, name) and name not in _OWN}
        return {"delimiter": self.delimiter, **shown}

    def described(self) -> str:
        """For logs: `delimiter ';', decimal ','`."""
        return ", ".join(f"{name} {value!r}" for name, value in self.to_metadata().items())

    @property
    def is_plain(self) -> bool:
        """Whether Python's csv module and ours read it with a delimiter and a quote alone."""
        return not self.escape_char and not self.comment_prefix

    def csv_options(self) -> dict[str, Any]:
        """For readers of Python's csv module."""
        quoting = {"quotechar": self.quote_char} if self.quote_char else {"quoting": 3, "quotechar": None}
        return {"delimiter": self.delimiter, "escapechar": self.escape_char or None, **quoting}


_OWN = ("header_prefixes", "columns", "cr_ends")
LINES = Dialect(delimiter="", quote_char="", header_rows=0, cr_ends=False)
"""Of text that is no table: each line is a record."""
FORMATS: Mapping[str, Dialect] = {
    "csv": Dialect(),
    "tsv": Dialect(delimiter="\t"),
    "vcf": Dialect(delimiter="\t", quote_char="", header_rows=0, header_prefixes=("##", "#")),
    "sam": Dialect(delimiter="\t", quote_char="", header_rows=0, header_prefixes=("@",), columns=SAM_COLUMNS),
}
"""By format, what holds where nothing else is declared or found."""


@dataclass(frozen=True)
class Declared:
    """What the parameter `dialect` says; None where the file is to show it, or the format has it."""

    delimiter: str | None = None
    quote_char: str | None = None
    escape_char: str | None = None
    decimal: str | None = None
    comment_prefix: str | None = None
    skip_rows: int | None = None
    header_rows: int | None = None
    encoding: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Declared:
        """Raises JobSpecError for an encoding that is none, and for characters that are one and the same."""
        given: Mapping[str, Any] = params.get("dialect") or {}
        declared = cls(**{field.name: given.get(field.name) for field in fields(cls)})
        place = "params.dialect"
        if declared.encoding is not None:
            try:
                codecs.lookup(declared.encoding)
            except LookupError as error:
                msg = f"{place}.encoding: {declared.encoding!r} is no encoding, such as utf-16, cp1252 or shift_jis."
                raise JobSpecError(msg) from error
        used = [each for each in (declared.delimiter, declared.quote_char, declared.comment_prefix) if each]
        if len(used) != len(set(used)):
            msg = f"{place}: delimiter, quote_char and comment_prefix must differ."
            raise JobSpecError(msg)
        return declared

    def over(self, dialect: Dialect) -> Dialect:
        """The dialect, with what is declared in its place."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(dialect, **{name: value for name, value in said.items() if value is not None})


def delimiters_to_try(dialect: Dialect) -> Iterator[str]:
    """The format's own first."""
    yield dialect.delimiter
    yield from (each for each in ",;\t|" if each != dialect.delimiter)


def twice(names: Sequence[str]) -> str | None:
    """The first name that is there twice, if any."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
