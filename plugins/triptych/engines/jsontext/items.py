"""The items of arrays, or the keys of objects, below a path in JSON of any size, as the source's own text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from triptych.engines.jsontext.structure import COMMA, Marks, NotJsonError, json_marks
from triptych.engines.runtime.resources import need, resources
from triptych.errors import SourceError

MEMORY_SHARE = 8
"""One document, parsed, takes several times its size."""
_OPENING = b"[{"
_TO_CLOSING = 2
"""From the code of an opening bracket to that of the closing one."""
_PLACE = re.compile(r" \(byte (\d+)\)")
"""In msgspec's messages; from 0."""
_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")', re.DOTALL)


@dataclass(frozen=True)
class Entries:
    """Consecutive items of an array, or keys with their values of an object (`keyed`), which opens at byte `opened`.

    Entry i is bytes [starts[i], ends[i]) of the source, white space around it and all; `text` begins at starts[0] and
    ends at ends[-1].
    """

    text: bytes
    starts: Any
    ends: Any
    opened: int
    keyed: bool

    def part(self, first: int, end: int) -> Entries:
        """Entries [first, end)."""
        starts, ends = self.starts[first:end], self.ends[first:end]
        text = self.text[int(starts[0] - self.starts[0]) : int(ends[-1] - self.starts[0])]
        return Entries(text, starts, ends, self.opened, self.keyed)

    def texts(self) -> list[bytes]:
        begin = self.starts[0]
        bounds = zip((self.starts - begin).tolist(), (self.ends - begin).tolist(), strict=True)
        return [self.text[start:end].strip() for start, end in bounds]

    def first_key(self) -> str:
        found = _KEY.match(self.text)
        return str(json.loads(found[1])) if found else ""


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
        return self.code == _OPENING[1]


def json_entries(blocks: Iterable[bytes], what: str, path: str) -> Iterator[Entries]:
    """Of every array or object at the path, those that end in each block; nothing when there is no container there.

    The path has dotted keys, and `item` for each of an array's items; empty, it is the document itself. Memory holds a
    block and an entry. Raises SourceError with the byte of what is no JSON (what lies beside the path and is larger
    than an entry may be is only looked through for its brackets), and for an entry that needs more memory.
    """
    walk = _Walk(what, path)
    for block, marks in json_marks(blocks, what, path.count(".") + 1 + bool(path)):
        yield from walk.over(block, marks)
    walk.end()


class _Walk:
    """Goes down the containers on the path; `text` is the source from byte `begin`, `start` where an entry begins."""

    def __init__(self, what: str, path: str) -> None:
        self._what, self._path = what, path
        self._levels: list[_Level] = []
        self._text, self._begin, self._start = b"", 0, 0
        self._found = self._closed = self._dropped = False
        msgspec = need("msgspec", "tables")
        # Raw: looked through, not built.
        self._arrays = msgspec.json.Decoder(list[msgspec.Raw])  # type: ignore[name-defined]  # A value, not a type.
        self._objects = msgspec.json.Decoder(dict[str, msgspec.Raw])  # type: ignore[name-defined]
        self._limit = resources().memory_bytes // MEMORY_SHARE

    def over(self, block: bytes, marks: Marks) -> Iterator[Entries]:
        self._text += block
        place = 0
        while place < len(marks.at):
            if self._levels and self._levels[-1].wanted:
                taken, place = self._take(marks, place)
                if taken is not None:
                    yield taken
            else:
                self._pass(*(int(each[place]) for each in (marks.at, marks.codes, marks.depths)))
                place += 1
        begin = max(self._start, self._begin)
        self._text, self._begin = self._text[begin - self._begin :], begin
        if len(self._text) > self._limit:
            self._drop()

    def end(self) -> None:
        if self._text.strip():
            if self._closed:
                self._refuse(self._start, "more follows the end of the document")
            self._check(self._text, self._start, 1, keyed=False)
        if not self._found:
            msg = f"{self._what}: there is no array or object at {self._path or 'the top'!r}. Correct the path."
            raise SourceError(msg)

    def _drop(self) -> None:
        """An entry beside the path needs no memory."""
        if self._levels and self._levels[-1].wanted:
            msg = (
                f"{self._what}: the entry at byte {self._start} is longer than {self._limit >> 20} MiB. "
                "Set a longer path, or raise [triptych] engine_memory_mib."
            )
            raise SourceError(msg)
        self._begin += len(self._text)
        self._text, self._dropped = b"", True

    def _take(self, marks: Marks, place: int) -> tuple[Entries | None, int]:
        """The wanted container's entries that end at marks from `place` on, and the place behind them."""
        import numpy as np

        borders = place + np.flatnonzero(marks.depths[place:] == len(self._levels))
        closing = np.flatnonzero(marks.codes[borders] != COMMA)[:1]
        if len(closing):
            borders = borders[: int(closing[0]) + 1]
        if not len(borders):
            return None, len(marks.at)
        taken = self._entries(marks.at[borders], closing=len(closing) > 0)
        last = int(borders[-1] if taken is None else borders[len(taken.ends) - 1])
        self._start = int(marks.at[last]) + 1
        if marks.codes[last] != COMMA:
            self._close(int(marks.at[last]), int(marks.codes[last]))
        return taken, last + 1

    def _entries(self, ends: Any, *, closing: bool) -> Entries | None:
        import numpy as np

        level, text = self._levels[-1], self._between(int(ends[-1]))
        if closing and not level.entries and len(ends) == 1 and not text.strip():
            return None
        starts = np.concatenate(([self._start], ends[:-1] + 1))
        entries = Entries(text, starts, ends, level.opened, level.keyed)
        try:
            self._check(text, self._start, len(ends), keyed=level.keyed)
        except NotJsonError:
            entries = self._sound(entries)
        level.entries += len(entries.ends)
        return entries

    def _sound(self, entries: Entries) -> Entries:
        """Those before the first that is no JSON, for which the error is raised when it alone is left."""
        for place in range(len(entries.ends)):
            one = entries.part(place, place + 1)
            try:
                self._check(one.text, int(one.starts[0]), 1, keyed=one.keyed)
            except NotJsonError:
                if not place:
                    raise
                return entries.part(0, place)
        return entries

    def _pass(self, at: int, code: int, depth: int) -> None:
        """One mark outside wanted containers."""
        if depth == len(self._levels) + 1 and code in _OPENING:
            self._open(at, code)
        elif depth == len(self._levels):
            self._end_entry(at, closing=code != COMMA)
            self._start = at + 1
            if code != COMMA:
                self._close(at, code)

    def _open(self, at: int, code: int) -> None:
        if self._closed or (self._levels and self._levels[-1].done):
            self._refuse(at, "a bracket opens behind a whole value")
        prefix = self._prefix(at)
        if prefix is not None:
            wanted = prefix == self._path
            self._levels.append(_Level(code, at, prefix, wanted))
            self._found |= wanted
            self._start = at + 1

    def _prefix(self, at: int) -> str | None:
        """The path of the container that opens; None when the wanted ones are not below it."""
        text = self._between(at)
        if self._dropped:
            return None
        if self._levels and self._levels[-1].keyed:
            (name,) = self._check(text + b"0", self._start, 1, keyed=True)
        else:
            self._expect_blank(text if self._start else text.removeprefix(b"\xef\xbb\xbf"))
            name = "item" if self._levels else ""
        above = self._levels[-1].prefix if self._levels else ""
        prefix = f"{above}.{name}" if above else name
        return prefix if not prefix or f"{self._path}.".startswith(f"{prefix}.") else None

    def _end_entry(self, at: int, *, closing: bool) -> None:
        level, text = self._levels[-1], self._between(at)
        if level.done:
            self._expect_blank(text)
        elif closing and not level.entries and not self._dropped and not text.strip():
            return
        elif not self._dropped:
            self._check(text, self._start, 1, keyed=level.keyed)
        level.entries += 1
        level.done = self._dropped = False

    def _close(self, at: int, code: int) -> None:
        level = self._levels.pop()
        if code != level.code + _TO_CLOSING:
            self._refuse(at, f"another bracket closes what byte {level.opened} opens")
        if self._levels:
            self._levels[-1].done = True
        self._closed = not self._levels

    def _between(self, at: int) -> bytes:
        """From where the entry begins, or what is still held of it."""
        return self._text[max(self._start - self._begin, 0) : at - self._begin]

    def _check(self, text: bytes, start: int, count: int, *, keyed: bool) -> Any:
        """The entries as a list, or as a dict in which keys that are there twice are one."""
        whole, decoder = (b"{%b}", self._objects) if keyed else (b"[%b]", self._arrays)
        try:
            text.decode()
            values = decoder.decode(whole % text)
        except UnicodeDecodeError as error:
            self._refuse(start + error.start, f"is not UTF-8 ({error.reason})")
        except (ValueError, RecursionError) as error:
            place = _PLACE.search(str(error))
            self._refuse(start + int(place[1]) - 1 if place else start, _PLACE.sub("", str(error)))
        if not values or (not keyed and len(values) != count):
            self._refuse(start, "a value is missing")
        return values

    def _expect_blank(self, text: bytes) -> None:
        if rest := text.lstrip():
            self._refuse(self._start + len(text) - len(rest), "a comma or a closing bracket is missing")

    def _refuse(self, at: int, reason: str) -> NoReturn:
        msg = f"{self._what}: is no JSON: byte {at}: {reason}. Correct the file."
        raise NotJsonError(msg)
