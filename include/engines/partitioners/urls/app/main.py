"""URLs, one in a line, some in each chunk; grouping and duplicates are found by sorting beyond memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa

from triptych.engines import Chunk, Source
from triptych.engines.api import Input
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, opened
from triptych.engines.dialects.record_ends import split_records
from triptych.engines.documents.contained import tables_in
from triptych.engines.jsontext.paths import pick
from triptych.engines.jsontext.records import json_records
from triptych.engines.sorting.external_merge import keyed, merged
from triptych.engines.sorting.order import Order
from triptych.engines.tables.csv_batches import CsvTable
from triptych.errors import SourceError

SORTED_URLS = 10_000
"""As many go into one batch."""
FORMATS = {"auto": "auto", "text": "lines", "csv": "csv", "json": "jsonl"}
"""Of the parameter, as `opened` calls them."""
PLAIN = re.compile(r"[a-z]+://([a-z0-9.-]+)(?::[0-9]{1,4})?(?:[/?#][!-~]*)?")
"""Most URLs, with the host: a tenth of the time that taking one apart needs."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Chunks in order of the list; by host in order of hosts, each host's URLs in order of the list."""
    entries = _entries(sources, params)
    if params["drop_duplicates"]:
        entries = _once(entries)
    if params["by_host"]:
        by_host = _sorted(entries, lambda entry: (entry.host, entry.number))
        for host, group in groupby(by_host, lambda entry: entry.host):
            yield from _chunks(group, params["items_per_chunk"], {"host": host})
    else:
        yield from _chunks(entries, params["items_per_chunk"], {})


class Entry(NamedTuple):
    """One URL; `number` counts the list's URLs from 0."""

    host: str
    url: str
    number: int


def _entries(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Entry]:
    for number, (url, location) in enumerate(_urls(sources, params)):
        yield Entry(_host(url, location), url, number)


def _chunks(entries: Iterator[Entry], items: int, metadata: Mapping[str, str]) -> Iterator[Chunk]:
    number = 0
    while batch := list(islice(entries, items)):
        name = f"{metadata.get('host', 'urls')}_{number:06d}.txt".replace(":", "_")
        data = "".join(f"{entry.url}\n" for entry in batch).encode()
        yield Chunk.of_bytes(data, name=name, items=len(batch), metadata={**metadata, "first_item": batch[0].number})
        number += 1


def _once(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Without the second and later of equal URLs, in the order that was."""
    by_url = _sorted(entries, lambda entry: (entry.url, entry.number))
    firsts = (next(group) for _, group in groupby(by_url, lambda entry: entry.url))
    return _sorted(firsts, lambda entry: (entry.number,))


def _sorted(entries: Iterator[Entry], key: Callable[[Entry], tuple[Any, ...]]) -> Iterator[Entry]:
    def batches() -> Iterator[pa.RecordBatch]:
        while some := list(islice(entries, SORTED_URLS)):
            lines = [json.dumps(entry, ensure_ascii=False).encode() for entry in some]
            yield keyed(list(map(pa.array, zip(*map(key, some), strict=True))), pa.array(lines, pa.large_binary()))

    order = Order(["ascending"] * len(key(Entry("", "", 0))))
    for batch in merged([batches], order, in_order=False):
        for line in batch.column("record").to_pylist():
            yield Entry(*json.loads(line))


def _urls(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each URL, and its location, for messages."""
    for index, url in enumerate(params["urls"] or ()):
        yield url, f"params.partitioner.urls.{index}"
    for source in sources:
        if source.size:
            for item in tables_in(source):
                table = opened(item, params, format=FORMATS[params["format"]], otherwise="lines")
                yield from _read(item, table, params["field"])


def _read(source: Input, table: Opened, field: str) -> Iterator[tuple[str, str]]:
    if table.format == "lines":
        return _lines(table)
    if table.format in DELIMITERS:
        return _csv(source, field, table)
    if table.format == "jsonl":
        return _json(table.item, field)
    msg = f"is {table.format}, and URLs are read from text, CSV or JSON. Convert the file first."
    raise source.error(msg)


def _lines(table: Opened) -> Iterator[tuple[str, str]]:
    source = table.item
    for number, line in enumerate(split_records(source.stream(), source, table.dialect), 1):
        url = line.decode(errors="replace").removeprefix("\ufeff").strip()
        if url and not url.startswith("#"):
            yield url, f"{source.label}, line {number}"


def _csv(source: Input, field: str, table: Opened) -> Iterator[tuple[str, str]]:
    for batch, (column,) in CsvTable(table).texts([field]):
        for index, url in enumerate(column.to_pylist()):
            yield url.strip(), f"{source.label}, {batch.location(index)}"


def _json(source: Input, field: str) -> Iterator[tuple[str, str]]:
    for record in json_records(source):
        values = record.value if isinstance(record.value, list) else [record.value]
        for value in values:
            try:
                url = value if isinstance(value, str) and not record.error else pick(value, field)
            except KeyError:
                url = None
            if not isinstance(url, str):
                msg = f"{record.location}: {record.error or f'has no URL in {field!r}'}."
                raise source.error(msg)
            yield url, f"{source.label}, {record.location}"


def _host(url: str, location: str) -> str:
    if plain := PLAIN.fullmatch(url):
        return plain[1]
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or not parts.scheme or len(url.split()) > 1:
        msg = f"{location}: {url[:100]!r} is no URL with scheme and host, such as https://example.org/page."
        raise SourceError(msg)
    return host
