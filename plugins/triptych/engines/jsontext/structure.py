"""The brackets and commas of JSON outside its strings, found by vectors over blocks of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from triptych.engines.arrays.bitmasks import prefix_xor, set_bits, to_words
from triptych.errors import SourceError

COMMA = ord(",")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_LETTER_CASE = 0x20
"""Sets `{` apart from `[`, and `}` from `]`."""


class NotJsonError(SourceError):
    """Text is no JSON, and from where on."""


@dataclass(frozen=True)
class Marks:
    """Arrays of one length: offsets in the whole text, the bytes there, and how deep the container lies (from 1)
    that each opens, closes or divides.
    """

    at: Any
    codes: Any
    depths: Any


def json_marks(blocks: Iterable[bytes], what: str, deepest: int) -> Iterator[tuple[bytes, Marks]]:
    """Each block with its marks, of containers down to the depth `deepest`.

    That brackets are of one kind is not looked at. Raises NotJsonError where more is closed than was opened, or the
    text ends inside a string or a container.
    """
    import numpy as np

    strings, depth, offset = _Strings(), 0, 0
    for block in filter(None, blocks):
        data = np.frombuffer(block, np.uint8)
        folded = data | _LETTER_CASE
        opens, closes = folded == ord("{"), folded == ord("}")
        at = set_bits(to_words(opens | closes | (data == COMMA)) & strings.outside(block, data, offset))
        steps = opens[at].astype(np.int64) - closes[at]
        after = steps.cumsum() + depth
        depths = after + (steps < 0)
        if len(at) and after.min() < 0:
            msg = f"{what}: is no JSON: byte {offset + int(at[after.argmin()])} closes what was never opened."
            raise NotJsonError(msg)
        shallow = depths <= deepest
        yield block, Marks(at[shallow] + offset, data[at[shallow]], depths[shallow])
        depth = int(after[-1]) if len(at) else depth
        offset += len(block)
    if strings.opened is not None or depth:
        within = f"{depth} open brackets" if strings.opened is None else f"the string of byte {strings.opened}"
        msg = f"{what}: is no JSON: it ends at byte {offset} inside {within}. Is the file whole?"
        raise NotJsonError(msg)


class _Strings:
    """Which bytes lie in strings, from block to block; `opened` is the offset of a quote that is not closed yet."""

    def __init__(self) -> None:
        self.opened: int | None = None
        self._escaped = False

    def outside(self, block: bytes, data: Any, offset: int) -> Any:
        """The bytes in no string, as bits; an opening quote counts as inside, a closing one does not."""
        quotes = data == _QUOTE
        if self._escaped or b"\\" in block:
            quotes[self._escapes(data)] = False
        inside = prefix_xor(to_words(quotes))
        if self.opened is not None:
            inside = ~inside
        self._follow(quotes, offset)
        return ~inside

    def _follow(self, quotes: Any, offset: int) -> None:
        import numpy as np

        count = np.count_nonzero(quotes)
        if count % 2 == (self.opened is not None):
            self.opened = None
        elif count:
            self.opened = offset + len(quotes) - 1 - int(quotes[::-1].argmax())

    def _escapes(self, data: Any) -> Any:
        """Where a backslash that is not itself escaped stands before; of a run of them, every other one is."""
        import numpy as np

        slashes = np.flatnonzero(data == _BACKSLASH)
        carried = [0] if self._escaped else []
        if self._escaped and len(slashes) and slashes[0] == 0:
            slashes = slashes[1:]
        first = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
        lengths = np.diff(first, append=len(slashes))
        odd = lengths % 2 == 1
        escaped = np.concatenate((carried, slashes[first][odd] + lengths[odd])).astype(np.int64)
        self._escaped = bool(len(escaped)) and int(escaped[-1]) == len(data)
        return escaped[:-1] if self._escaped else escaped
