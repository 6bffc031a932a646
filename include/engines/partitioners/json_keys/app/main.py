"""The items of an array, or the keys of an object, as they stand in the source; memory holds one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.api import Input
from triptych.engines.jsontext.items import Entries, json_entries
from triptych.engines.jsontext.places import ItemPlace
from triptych.engines.streams.contents import as_text
from triptych.engines.streams.runs import Runs

BLOCK_BYTES = 64 * 1024
NO_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A source's entries in their order, each in one chunk; a chunk ends where its array or object does."""
    for source in sources:
        if source.size:
            yield from _of_source(source, params)


def _of_source(source: Source, params: Mapping[str, Any]) -> Iterator[Chunk]:
    most: int = params["items_per_chunk"]
    item, _ = as_text(source)
    make = _LinesMaker() if params["layout"] == "jsonl" else _RangesMaker(source, item, most)
    first_item = 0
    for _, numbered in groupby(_parts(json_entries(item, params["path"]), most), key=itemgetter(0)):
        parts = map(itemgetter(1), numbered)
        head = next(parts)
        place = ItemPlace(source_index=source.index, source=source.path, first_item=first_item)
        key = {"key": head.first_key()} if head.keyed else {}
        chunk = make(head, parts)
        name = f"{source.name}_{first_item:09d}.{params['layout']}"
        yield replace(chunk, name=name, metadata=place.to_metadata() | key)
        if chunk.path:
            chunk.path.unlink()
        first_item += chunk.items or 0


def _parts(entries: Iterable[Entries], most: int) -> Iterator[tuple[int, Entries]]:
    """Entries, none over a chunk's border, with their chunk's number: it ends with `most`, or their container."""
    number, count, opened = -1, most, -1
    for some in entries:
        first = 0
        while first < len(some):
            if count == most or some.opened != opened:
                number, count, opened = number + 1, 0, some.opened
            end = min(first + most - count, len(some))
            yield number, some.part(first, end)
            first, count = end, count + end - first


class _RangesMaker:
    """The source's text between two brackets; an item alone without, where there is one in each chunk."""

    def __init__(self, source: Source, item: Input, most: int) -> None:
        self._runs, self._item, self._most = Runs(source, item), item, most
        self._closing_offsets: dict[bytes, int] = {}

    def __call__(self, head: Entries, others: Iterator[Entries]) -> Chunk:
        last, items = head, len(head)
        for last in others:
            items += len(last)
        begin = int(head.starts[0]) + len(head.text) - len(head.text.lstrip())
        end = int(last.ends[-1]) - len(last.text) + len(last.text.rstrip())
        run = (begin, end - begin)
        if self._most == 1 and not head.keyed:
            return self._runs.chunk([run], items=items)
        opening, closing = (b"{", b"}") if head.keyed else (b"[", b"]")
        # A range chunk has no suffix, but any such byte of the source is one.
        if closing not in self._closing_offsets:
            self._closing_offsets[closing] = self._last(closing)
        runs = [run, (self._closing_offsets[closing], 1)]
        return self._runs.chunk(runs, opening, items=items)

    def _last(self, octet: bytes) -> int:
        """The offset of the last such byte of the source."""
        with self._item.open() as data:
            for begin in range(self._item.size - BLOCK_BYTES, -BLOCK_BYTES, -BLOCK_BYTES):
                data.seek(max(begin, 0))
                index = data.read(BLOCK_BYTES).rfind(octet)
                if index >= 0:
                    return max(begin, 0) + index
        msg = f"is no JSON: there is no {octet.decode()!r}. Is the file whole?"
        raise self._item.error(msg)


class _LinesMaker:
    """An item, or `{key: value}`, in each line of a file."""

    def __init__(self) -> None:
        self._path = resources().new_folder() / "lines"

    def __call__(self, head: Entries, others: Iterator[Entries]) -> Chunk:
        items = 0
        before, behind = (b"{", b"}\n") if head.keyed else (b"", b"\n")
        with self._path.open("wb") as out:
            for part in chain([head], others):
                out.writelines(before + text.translate(NO_LINE_ENDS) + behind for text in part.texts())
                items += len(part)
        return Chunk.of_file(self._path, items=items)
