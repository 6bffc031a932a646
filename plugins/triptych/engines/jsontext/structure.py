"""The structural index of JSON: brackets and commas outside its strings, found by vectors over blocks of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from triptych.engines.arrays.aliases import Codes, Mask, Octets, Offsets, Words
from triptych.engines.arrays.bitmasks import prefix_xor, set_bits, to_words
from triptych.engines.arrays.runs import consecutive_starts, run_lengths

COMMA = ord(",")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_LETTER_CASE = 0x20
"""Sets `{` apart from `[`, and `}` from `]`."""


class NotJsonError(ValueError):
    """Why a text is no JSON, and from which byte on: `is no JSON: byte 7: ...`, to follow the name of its file."""


@dataclass(frozen=True)
class Marks:
    """The structural characters of a block, in their order: three arrays of one length.

    Of `{"a":[1,2]}`, at byte 0: offsets [0, 5, 7, 9, 10], octets `{[,]}`, depths [1, 2, 2, 2, 1].
    """

    offsets: Offsets
    """In the whole text."""
    octets: Octets
    """The bytes there."""
    depths: Codes
    """How deep the container lies (from 1) that each opens, closes or divides."""

    def __len__(self) -> int:
        return len(self.offsets)


def json_marks(blocks: Iterable[bytes], deepest: int) -> Iterator[tuple[bytes, Marks]]:
    """Each block with its marks, of containers down to the depth `deepest`.

    That brackets are of one kind is not looked at. Raises NotJsonError where more is closed than was opened, or the
    text ends inside a string or a container.
    """
    strings, depth, offset = _Strings(), 0, 0
    for block in filter(None, blocks):
        octets = np.frombuffer(block, np.uint8)
        folded = octets | _LETTER_CASE
        opens, closes = folded == ord("{"), folded == ord("}")
        indices = set_bits(to_words(opens | closes | (octets == COMMA)) & strings.outside(block, octets, offset))
        steps = opens[indices].astype(np.int64) - closes[indices]
        after = steps.cumsum() + depth
        depths = after + (steps < 0)
        if len(indices) and after.min() < 0:
            msg = f"is no JSON: byte {offset + int(indices[after.argmin()])} closes what was never opened"
            raise NotJsonError(msg)
        shallow = depths <= deepest
        yield block, Marks(indices[shallow] + offset, octets[indices[shallow]], depths[shallow])
        depth = int(after[-1]) if len(indices) else depth
        offset += len(block)
    if strings.opened is not None or depth:
        within = f"{depth} open brackets" if strings.opened is None else f"the string of byte {strings.opened}"
        msg = f"is no JSON: it ends at byte {offset} inside {within}"
        raise NotJsonError(msg)


class _Strings:
    """Which bytes lie in strings, from block to block; `opened` is the offset of a quote that is not closed yet."""

    def __init__(self) -> None:
        self.opened: int | None = None
        self._escaped = False

    def outside(self, block: bytes, octets: Octets, offset: int) -> Words:
        """The bytes in no string, as bits; an opening quote counts as inside, a closing one does not."""
        quotes = octets == _QUOTE
        if self._escaped or b"\\" in block:
            quotes[self._escapes(octets)] = False
        inside = prefix_xor(to_words(quotes))
        if self.opened is not None:
            inside = ~inside
        self._follow(quotes, offset)
        return ~inside

    def _follow(self, quotes: Mask, offset: int) -> None:
        count = np.count_nonzero(quotes)
        if count % 2 == (self.opened is not None):
            self.opened = None
        elif count:
            self.opened = offset + len(quotes) - 1 - int(quotes[::-1].argmax())

    def _escapes(self, octets: Octets) -> Offsets:
        r"""The indices of bytes behind a backslash that is not itself escaped; of a run of them, every other one is.

        Of `a\"b\\"c\\\"`: backslashes at [1, 4, 5, 8, 9, 10] are runs that start at [1, 4, 8] with lengths [1, 2, 3];
        the odd ones escape what is behind them -> [2, 11]. The quote behind `\\` closes its string.
        """
        slashes = np.flatnonzero(octets == _BACKSLASH)
        carried = [0] if self._escaped else []
        if self._escaped and len(slashes) and slashes[0] == 0:
            slashes = slashes[1:]
        starts = consecutive_starts(slashes)
        lengths = run_lengths(starts, len(slashes))
        odd = lengths % 2 == 1
        escaped = np.concatenate((carried, slashes[starts][odd] + lengths[odd])).astype(np.int64)
        self._escaped = bool(len(escaped)) and int(escaped[-1]) == len(octets)
        return escaped[:-1] if self._escaped else escaped
