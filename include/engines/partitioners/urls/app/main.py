"""URLs, one in a line, some in each chunk; grouping and duplicates are found by sorting beyond memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from triptych.engines import Chunk, Source
from triptych.engines.json_records import json_records, pick
from triptych.engines.merging import Order, Run, merged
from triptych.engines.records import split_records
from triptych.engines.streams import BlockReader
from triptych.errors import SourceError

BY_EXTENSION = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Chunks in order of the list; by host in order of hosts, each host's URLs in order of the list."""

    def lines() -> Iterator[bytes]:
        for number, (url, where) in enumerate(_urls(sources, params)):
            yield json.dumps([_host(url, where), url, number], ensure_ascii=False).encode() + b"\n"

    entries: Callable[[], Iterator[bytes]] = lines
    if params["drop_duplicates"]:
        entries = _once(entries)
    if params["by_host"]:
        for host, group in groupby(_sorted(entries, lambda entry: (entry[0], entry[2])), key=lambda entry: entry[0]):
            yield from _chunks(group, params["count"], {"host": host})
    else:
        yield from _chunks((json.loads(line) for line in entries()), params["count"], {})


def _chunks(entries: Iterator[Any], count: int, about: dict[str, Any]) -> Iterator[Chunk]:
    number = 0
    while batch := list(islice(entries, count)):
        name = f"{about.get('host', 'urls')}_{number:06d}.txt".replace(":", "_")
        data = "".join(f"{url}\n" for _, url, _ in batch).encode()
        yield Chunk.of_bytes(data, name=name, items=len(batch), metadata={**about, "first": batch[0][2]})
        number += 1


def _once(lines: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """Without the second and later of equal URLs, in the order that was."""

    def first_of_each() -> Iterator[bytes]:
        for _, group in groupby(_sorted(lines, lambda entry: (entry[1], entry[2])), key=lambda entry: entry[1]):
            yield json.dumps(next(group), ensure_ascii=False).encode() + b"\n"

    def in_order() -> Iterator[bytes]:
        for entry in _sorted(first_of_each, lambda entry: entry[2]):
            yield json.dumps(entry, ensure_ascii=False).encode() + b"\n"

    return in_order


def _sorted(lines: Callable[[], Iterator[bytes]], key: Callable[[Any], Any]) -> Iterator[Any]:
    order = Order(
        lambda run: split_records(run.blocks(), run.what, quoted=False), lambda line, _: key(json.loads(line))
    )
    return (json.loads(line) for _, line in merged([Run(lines, "the list of URLs")], order, in_order=False))


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
        url = line.decode("utf-8-sig", errors="replace").strip()
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
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or not parts.scheme or any(character.isspace() for character in url):
        msg = f"{where}: {url[:100]!r} is no URL with scheme and host, such as https://example.org/page."
        raise SourceError(msg)
    return host
