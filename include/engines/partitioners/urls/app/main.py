"""URLs, one in a line, some in each chunk; grouping and duplicates are found by sorting beyond memory."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from triptych.engines import Chunk, Source
from triptych.engines.jsontext.records import json_records, pick
from triptych.engines.runtime.resources import need
from triptych.engines.sorting.external_merge import keyed, merged
from triptych.engines.sorting.order import Order
from triptych.engines.streams.file_objects import BlockReader
from triptych.engines.tables.record_ends import split_records
from triptych.errors import SourceError

SORTED_URLS = 10_000
"""As many go into one batch."""
PLAIN = re.compile(r"[a-z]+://([a-z0-9.-]+)(?::[0-9]{1,4})?(?:[/?#][!-~]*)?")
"""Most URLs, with the host: a tenth of the time that taking one apart needs."""
BY_EXTENSION = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Chunks in order of the list; by host in order of hosts, each host's URLs in order of the list."""
    entries = _entries(sources, params)
    if params["drop_duplicates"]:
        entries = _once(entries)
    if params["by_host"]:
        by_host = _sorted(entries, lambda entry: (entry.host, entry.number))
        for host, group in groupby(by_host, lambda entry: entry.host):
            yield from _chunks(group, params["count"], {"host": host})
    else:
        yield from _chunks(entries, params["count"], {})


class Entry(NamedTuple):
    """One URL; `number` is its place in the list, from 0."""

    host: str
    url: str
    number: int


def _entries(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Entry]:
    for number, (url, where) in enumerate(_urls(sources, params)):
        yield Entry(_host(url, where), url, number)


def _chunks(entries: Iterator[Entry], count: int, about: dict[str, Any]) -> Iterator[Chunk]:
    number = 0
    while batch := list(islice(entries, count)):
        name = f"{about.get('host', 'urls')}_{number:06d}.txt".replace(":", "_")
        data = "".join(f"{entry.url}\n" for entry in batch).encode()
        yield Chunk.of_bytes(data, name=name, items=len(batch), metadata={**about, "first": batch[0].number})
        number += 1


def _once(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Without the second and later of equal URLs, in the order that was."""
    by_url = _sorted(entries, lambda entry: (entry.url, entry.number))
    firsts = (next(group) for _, group in groupby(by_url, lambda entry: entry.url))
    return _sorted(firsts, lambda entry: (entry.number,))


def _sorted(entries: Iterator[Entry], key: Callable[[Entry], tuple[Any, ...]]) -> Iterator[Entry]:
    def batches() -> Iterator[Any]:
        while some := list(islice(entries, SORTED_URLS)):
            lines = [json.dumps(entry, ensure_ascii=False).encode() for entry in some]
            yield keyed(list(map(pa.array, zip(*map(key, some), strict=True))), pa.array(lines, pa.large_binary()))

    pa = need("pyarrow", "tables")
    order = Order(["ascending"] * len(key(Entry("", "", 0))))
    for batch in merged([batches], order, in_order=False):
        for line in batch.column("record").to_pylist():
            yield Entry(*json.loads(line))


def _urls(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each URL, and where it stands."""
    for index, url in enumerate(params["urls"] or ()):
        yield url, f"params.partitioner.urls.{index}"
    for source in sources:
        form = params["format"]
        if form == "auto":
            form = BY_EXTENSION.get(PurePosixPath(source.name).suffix.lower(), "text")
        yield from READERS[form](source, params["field"])


def _text(source: Source, field: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(split_records(source.stream(), source.uri, quoted=False), 1):
        url = line.decode(errors="replace").removeprefix("\ufeff").strip()
        if url and not url.startswith("#"):
            yield url, f"{source.uri}, line {number}"


def _csv(source: Source, field: str) -> Iterator[tuple[str, str]]:
    raw = io.BufferedReader(BlockReader(source.stream()))
    with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        table = csv.DictReader(text)
        for row in table:
            if field not in row:
                msg = f"{source.uri}: there is no column {field!r}; it has {', '.join(table.fieldnames or ())}."
                raise SourceError(msg)
            yield str(row[field] or "").strip(), f"{source.uri}, line {table.line_num}"


def _json(source: Source, field: str) -> Iterator[tuple[str, str]]:
    for record in json_records(source):
        where = f"{source.uri}, {record.place}"
        values = record.value if isinstance(record.value, list) else [record.value]
        for value in values:
            try:
                url = value if isinstance(value, str) and not record.fault else pick(value, field)
            except KeyError:
                url = None
            if not isinstance(url, str):
                msg = f"{where}: {record.fault or f'has no URL in {field!r}'}."
                raise SourceError(msg)
            yield url, where


READERS = {"text": _text, "csv": _csv, "json": _json}


def _host(url: str, where: str) -> str:
    if plain := PLAIN.fullmatch(url):
        return plain[1]
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or not parts.scheme or len(url.split()) > 1:
        msg = f"{where}: {url[:100]!r} is no URL with scheme and host, such as https://example.org/page."
        raise SourceError(msg)
    return host
