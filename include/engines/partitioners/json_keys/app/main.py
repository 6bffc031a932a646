"""The items of an array, or the keys of an object, as they stand in the source; memory holds one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.jsontext.items import Entries, json_entries
from triptych.errors import SourceError

BLOCK_BYTES = 64 * 1024
NO_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        if source.size:
            yield from _of_source(source, params)


def _of_source(source: Source, params: Mapping[str, Any]) -> Iterator[Chunk]:
    if params["layout"] == "jsonl":
        make = partial(_lines, path=resources().new_folder() / "lines")
    else:
        make = partial(_ranges, closing_at=cache(partial(_last, source)), alone=params["count"] == 1)
    parts = _parts(json_entries(source.stream(), source.uri, params["path"]), params["count"])
    first = 0
    for _, group in groupby(parts, key=itemgetter(0)):
        mine = map(itemgetter(1), group)
        head = next(mine)
        about = {"source": source.name, "first": first} | ({"key": head.first_key()} if head.keyed else {})
        name = f"{source.name}_{first:09d}.{params['layout']}"
        chunk = make(source, head, mine, name=name, metadata=about)
        yield chunk
        if chunk.path:
            chunk.path.unlink()
        first += chunk.items or 0


def _parts(entries: Iterable[Entries], most: int) -> Iterator[tuple[int, Entries]]:
    """Entries, none over a chunk's border, with their chunk's number: it ends with `most`, or their container."""
    number, count, opened = -1, most, -1
    for found in entries:
        first = 0
        while first < len(found.ends):
            if count == most or found.opened != opened:
                number, count, opened = number + 1, 0, found.opened
            end = min(first + most - count, len(found.ends))
            yield number, found.part(first, end)
            first, count = end, count + end - first


def _ranges(
    source: Source, head: Entries, others: Iterator[Entries], *, closing_at: Any, alone: bool, **about: Any
) -> Chunk:
    """The source's text between two brackets; one item alone without."""
    last, items = head, len(head.ends)
    for last in others:
        items += len(last.ends)
    begin = int(head.starts[0]) + len(head.text) - len(head.text.lstrip())
    end = int(last.ends[-1]) - len(last.text) + len(last.text.rstrip())
    runs = [(begin, end - begin)]
    if alone and not head.keyed:
        return Chunk.of_ranges(source, runs, items=items, **about)
    opening, closing = (b"{", b"}") if head.keyed else (b"[", b"]")
    # A range chunk has no suffix, but any such byte of the source is one.
    return Chunk.of_ranges(source, [*runs, (closing_at(closing), 1)], opening, items=items, **about)


def _last(source: Source, byte: bytes) -> int:
    with source.open() as data:
        for begin in range(source.size - BLOCK_BYTES, -BLOCK_BYTES, -BLOCK_BYTES):
            data.seek(max(begin, 0))
            place = data.read(BLOCK_BYTES).rfind(byte)
            if place >= 0:
                return max(begin, 0) + place
    msg = f"{source.uri}: is no JSON: there is no {byte.decode()!r}. Is the file whole?"
    raise SourceError(msg)


def _lines(source: Source, head: Entries, others: Iterator[Entries], *, path: Path, **about: Any) -> Chunk:
    items = 0
    before, behind = (b"{", b"}\n") if head.keyed else (b"", b"\n")
    with path.open("wb") as out:
        for part in chain([head], others):
            out.writelines(before + text.translate(NO_LINE_ENDS) + behind for text in part.texts())
            items += len(part.ends)
    return Chunk.of_file(path, items=items, **about)
