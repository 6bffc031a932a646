"""The items of arrays, or the keys of objects, below a path in JSON of any size, as the source's own text."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import msgspec
import numpy as np

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Offsets
from triptych.engines.jsontext.decoding import checked
from triptych.engines.jsontext.structure import COMMA, Marks, NotJsonError, json_marks
from triptych.engines.runtime.resources import resources

_OPENING = b"[{"
_TO_CLOSING = 2
"""From the code of an opening bracket to that of the closing one."""
_BYTE = re.compile(r" \(byte (\d+)\)")
"""In msgspec's messages; from 0."""
_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
# Raw: looked through, not built.
_ARRAYS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
T = TypeVar("T")


@dataclass(frozen=True)
class Entries:
    """Consecutive items of an array, or keys with their values of an object (`keyed`), which opens at byte `opened`.

    Entry i is bytes [starts[i], ends[i]) of the source, white space around it and all; `text` begins at starts[0] and
    ends at ends[-1]. Of `[1, 2]`: text `1, 2`, starts [1, 3], ends [2, 5].
    """

    text: bytes
    starts: Offsets
    ends: Offsets
    opened: int
    keyed: bool

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, first: int, end: int) -> Entries:
        """Entries [first, end)."""
        starts, ends = self.starts[first:end], self.ends[first:end]
        text = self.text[int(starts[0] - self.starts[0]) : int(ends[-1] - self.starts[0])]
        return Entries(text, starts, ends, self.opened, self.keyed)

    def texts(self) -> list[bytes]:
        """Each entry without the white space around it; with its key where entries are `keyed`."""
        begin = self.starts[0]
        bounds = zip((self.starts - begin).tolist(), (self.ends - begin).tolist(), strict=True)
        return [self.text[start:end].strip() for start, end in bounds]

    def first_key(self) -> str:
        """Of the first entry, decoded; empty where entries have no keys."""
        key = _KEY.match(self.text)
        return str(json.loads(key[1])) if key else ""


def json_entries(item: Input, path: str) -> Iterator[Entries]:
    """Of every array or object at the path, those that end in each block; nothing when there is no container there.

    The path has dotted keys, and `item` for each of an array's items; empty, it is the document itself. Memory holds a
    block and an entry. Raises the item's error with the byte of what is no JSON (what lies beside the path and is
    larger than an entry may be is only looked through for its brackets), and for an entry that needs more memory.
    """
    try:
        yield from entries_at(item.stream(), item, path)
    except NotJsonError as error:
        msg = f"{error}. Is the file whole? Correct it."
        raise item.error(msg) from error


def entries_at(blocks: Iterable[bytes], item: Input, path: str) -> Iterator[Entries]:
    """The same in blocks of the item, with NotJsonError for what is no JSON."""
    walk = _Walk(item, path)
    for block, marks in json_marks(blocks, path.count(".") + 1 + bool(path)):
        yield from walk.over(block, marks)
    walk.end()


@dataclass
class _Level:
    """An open container. `done`: its entry was a container on the path, which has been closed."""

    code: int
    opened: int
    prefix: str
    wanted: bool
    entries: int = 0
    done: bool = False

    @property
    def keyed(self) -> bool:
        """An object, and no array."""
        return self.code == _OPENING[1]


@dataclass(frozen=True)
class _Window:
    """What is held of the source: `text` from byte `begin` on."""

    text: bytes = b""
    begin: int = 0

    def grown(self, block: bytes) -> _Window:
        """With the block that follows in the source."""
        return _Window(self.text + block, self.begin)

    def from_offset(self, offset: int) -> _Window:
        """Without what is before that byte; as it is where that has been dropped before."""
        begin = max(offset, self.begin)
        return _Window(self.text[begin - self.begin :], begin)

    def between(self, start: int, end: int) -> bytes:
        """The source's bytes [start, end), or what is still held of them."""
        return self.text[max(start - self.begin, 0) : end - self.begin]


@dataclass
class _State:
    """Where the walk stands: inside these containers, in the entry that begins at byte `start`.

    `found`: there was a container at the path; `closed`: the document has ended; `dropped`: the beginning of the
    entry, which lies beside the path, is no longer held.
    """

    levels: list[_Level] = field(default_factory=list)
    start: int = 0
    found: bool = False
    closed: bool = False
    dropped: bool = False

    @property
    def in_wanted(self) -> bool:
        """Whether entries of the innermost open container are to be given out."""
        return bool(self.levels) and self.levels[-1].wanted


class _Walk:
    """Goes down the containers on the path."""

    def __init__(self, item: Input, path: str) -> None:
        self._item, self._path = item, path
        self._most_bytes = resources().longest_line().bytes
        self._window, self._state = _Window(), _State()

    def over(self, block: bytes, marks: Marks) -> Iterator[Entries]:
        """The wanted entries that end in this block, whose marks these are."""
        self._window = self._window.grown(block)
        index = 0
        while index < len(marks):
            if self._state.in_wanted:
                taken, index = self._take(marks, index)
                if taken is not None:
                    yield taken
            else:
                self._pass(*(int(each[index]) for each in (marks.offsets, marks.octets, marks.depths)))
                index += 1
        self._window = self._window.from_offset(self._state.start)
        if len(self._window.text) > self._most_bytes:
            self._drop()

    def end(self) -> None:
        """Raises NotJsonError for what follows the document, the item's error where nothing was at the path."""
        start, rest = self._state.start, self._window.text
        if rest.strip():
            if self._state.closed:
                _refuse(start, "more follows the end of the document")
            _check(rest, start, 1, keyed=False)
        if not self._state.found:
            msg = f"there is no array or object at {self._path or 'the top'!r}. Correct the path."
            raise self._item.error(msg)

    def _drop(self) -> None:
        """An entry beside the path needs no memory."""
        if self._state.in_wanted:
            entry = f"the entry at byte {self._state.start}"
            raise resources().longest_line(entry).exceeded(self._item, "Set a longer path.")
        self._window = self._window.from_offset(self._window.begin + len(self._window.text))
        self._state.dropped = True

    def _take(self, marks: Marks, index: int) -> tuple[Entries | None, int]:
        """The wanted container's entries that end at marks from `index` on, and the index behind these."""
        state = self._state
        borders = index + np.flatnonzero(marks.depths[index:] == len(state.levels))
        closing = np.flatnonzero(marks.octets[borders] != COMMA)[:1]
        if len(closing):
            borders = borders[: int(closing[0]) + 1]
        if not len(borders):
            return None, len(marks)
        taken = self._entries(marks.offsets[borders], closing=len(closing) > 0)
        last = int(borders[-1] if taken is None else borders[len(taken) - 1])
        offset, code = int(marks.offsets[last]), int(marks.octets[last])
        state.start = offset + 1
        if code != COMMA:
            self._close(offset, code)
        return taken, last + 1

    def _entries(self, ends: Offsets, *, closing: bool) -> Entries | None:
        level, start = self._state.levels[-1], self._state.start
        text = self._window.between(start, int(ends[-1]))
        if closing and not level.entries and len(ends) == 1 and not text.strip():
            return None
        starts = np.concatenate(([start], ends[:-1] + 1))
        entries = Entries(text, starts, ends, level.opened, level.keyed)
        try:
            _check(text, start, len(ends), keyed=level.keyed)
        except NotJsonError:
            entries = _sound(entries)
        level.entries += len(entries)
        return entries

    def _pass(self, offset: int, code: int, depth: int) -> None:
        """One mark outside wanted containers."""
        if depth == len(self._state.levels) + 1 and code in _OPENING:
            self._open(offset, code)
        elif depth == len(self._state.levels):
            if not self._state.levels:
                _refuse(offset, "a comma or bracket stands outside of all values")
            self._end_entry(offset, closing=code != COMMA)
            self._state.start = offset + 1
            if code != COMMA:
                self._close(offset, code)

    def _open(self, offset: int, code: int) -> None:
        state = self._state
        if state.closed or (state.levels and state.levels[-1].done):
            _refuse(offset, "a bracket opens behind a whole value")
        prefix = self._prefix(offset)
        if prefix is not None:
            wanted = prefix == self._path
            state.levels.append(_Level(code, offset, prefix, wanted))
            state.found |= wanted
            state.start = offset + 1

    def _prefix(self, offset: int) -> str | None:
        """The path of the container that opens; None when the wanted ones are not below it."""
        levels, start = self._state.levels, self._state.start
        text = self._window.between(start, offset)
        if self._state.dropped:
            return None
        if levels and levels[-1].keyed:
            (name,) = _keys(text + b"0", start)
        else:
            _expect_blank(text if start else text.removeprefix(BOM_UTF8), start)
            name = "item" if levels else ""
        above = levels[-1].prefix if levels else ""
        prefix = f"{above}.{name}" if above else name
        return prefix if not prefix or f"{self._path}.".startswith(f"{prefix}.") else None

    def _end_entry(self, offset: int, *, closing: bool) -> None:
        level, start = self._state.levels[-1], self._state.start
        text = self._window.between(start, offset)
        if level.done:
            _expect_blank(text, start)
        elif closing and not level.entries and not self._state.dropped and not text.strip():
            return
        elif not self._state.dropped:
            _check(text, start, 1, keyed=level.keyed)
        level.entries += 1
        level.done = self._state.dropped = False

    def _close(self, offset: int, code: int) -> None:
        level = self._state.levels.pop()
        if code != level.code + _TO_CLOSING:
            _refuse(offset, f"another bracket closes what byte {level.opened} opens")
        if self._state.levels:
            self._state.levels[-1].done = True
        self._state.closed = not self._state.levels


def _sound(entries: Entries) -> Entries:
    """Those before the first that is no JSON, for which the error is raised when it alone is left."""
    for index in range(len(entries)):
        one = entries.part(index, index + 1)
        try:
            _check(one.text, int(one.starts[0]), 1, keyed=one.keyed)
        except NotJsonError:
            if not index:
                raise
            return entries.part(0, index)
    return entries


def _check(text: bytes, start: int, count: int, *, keyed: bool) -> None:
    """Raises NotJsonError unless the text, from byte `start` of the source on, is so many entries."""
    if keyed:
        _keys(text, start)
    elif len(_decoded(_ARRAYS, b"[%b]" % text, start)) != count:
        _refuse(start, "a value is missing")


def _keys(text: bytes, start: int) -> Iterable[str]:
    """The keys of entries of an object, each once."""
    keys = _decoded(_OBJECTS, b"{%b}" % text, start)
    if not keys:
        _refuse(start, "a value is missing")
    return keys


def _decoded(decoder: msgspec.json.Decoder[T], container: bytes, start: int) -> T:
    """What the decoder makes of entries in brackets that were put around them."""
    try:
        container.decode()
        return checked(decoder, container)
    except UnicodeDecodeError as error:
        _refuse(start + error.start - 1, f"is not UTF-8 ({error.reason})")
    except (ValueError, RecursionError) as error:
        match = _BYTE.search(str(error))
        _refuse(start + int(match[1]) - 1 if match else start, _BYTE.sub("", str(error)))


def _expect_blank(text: bytes, start: int) -> None:
    if rest := text.lstrip():
        _refuse(start + len(text) - len(rest), "a comma or a closing bracket is missing")


def _refuse(offset: int, reason: str) -> NoReturn:
    msg = f"is no JSON: byte {offset}: {reason}"
    raise NotJsonError(msg)
