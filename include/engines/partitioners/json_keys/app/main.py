"""The items of an array, or the keys of an object, read as a stream: memory holds one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from triptych.engines import Chunk, Source, need, resources
from triptych.errors import SourceError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        if source.size:
            yield from _of_source(source, params)


def _of_source(source: Source, params: Mapping[str, Any]) -> Iterator[Chunk]:
    ijson = need("ijson", "tables")
    try:
        kind = _kind(ijson, source, params["path"])
        with source.open() as data:
            # Numbers are doubles, or whole, as JSON readers take them.
            if kind == "start_array":
                prefix = f"{params['path']}.item".removeprefix(".")
                entries = ((None, value) for value in ijson.items(data, prefix, use_float=True))
            else:
                entries = ijson.kvitems(data, params["path"], use_float=True)
            yield from _batches(source, entries, params)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        msg = f"{source.uri}: is no JSON: {str(error).splitlines()[0]}. Correct the file."
        raise SourceError(msg) from error


def _kind(ijson: Any, source: Source, path: str) -> str:
    with source.open() as data:
        for prefix, event, _ in ijson.parse(data):
            if prefix == path and event in ("start_array", "start_map"):
                return str(event)
            if prefix == path and event not in ("map_key", "end_map", "end_array"):
                break
    msg = f"{source.uri}: there is no array or object at {path or 'the top'!r}. Correct the path."
    raise SourceError(msg)


def _batches(source: Source, entries: Iterator[tuple[str | None, Any]], params: Mapping[str, Any]) -> Iterator[Chunk]:
    path, first = resources().new_folder() / "batch", 0
    extension = params["layout"]
    for head in entries:
        batch = chain([head], islice(entries, params["count"] - 1))
        with path.open("wb") as out:
            count = _write(out, batch, lines=extension == "jsonl", alone=params["count"] == 1)
        about = {"source": source.name, "first": first} | ({} if head[0] is None else {"key": head[0]})
        yield Chunk.of_file(path, name=f"{source.name}_{first:09d}.{extension}", items=count, metadata=about)
        path.unlink()
        first += count


def _write(out: BinaryIO, entries: Iterable[tuple[str | None, Any]], *, lines: bool, alone: bool) -> int:
    """The entries as JSON; returns how many."""
    count, closing = 0, b""
    for key, value in entries:
        name = b"" if key is None else _dump(key) + b": "
        if lines:
            out.write((b"{" + name + _dump(value) + b"}\n") if key is not None else _dump(value) + b"\n")
        elif alone and key is None:
            out.write(_dump(value))
        else:
            opening, closing = (b"[", b"]") if key is None else (b"{", b"}")
            out.write((b",\n" if count else opening) + name + _dump(value))
        count += 1
    out.write(closing)
    return count


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
