"""Which bytes of a block are inside quotes: a quote counts at the start of a value, and in a quoted one."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator

import numpy as np

from triptych.engines.arrays.aliases import Mask, Octets, Words
from triptych.engines.arrays.bitmasks import prefix_xor, set_bits, to_words
from triptych.engines.dialects.dialect import Dialect

NEWLINE, RETURN = ord("\n"), ord("\r")
_ALL, _ONE, _LAST = np.uint64(2**64 - 1), np.uint64(1), np.uint64(63)


class QuoteScan:
    """Looks at consecutive blocks of one file, of which none ends inside an escape.

    In a dialect with comments each block begins a line.
    """

    def __init__(self, dialect: Dialect, *, at_start: bool = True) -> None:
        """`at_start` where the first block begins a record."""
        self._dialect = dialect
        self._quote = dialect.quote_char.encode()
        self._starts = frozenset(dialect.delimiter.encode() + b"\r\n")
        self.inside = False
        """Whether the last block ended inside quotes."""
        self.opened = -1
        """The index in the last block of the quote that it does not close; -1 where there is none."""
        self._is_first = True
        self._at_start = at_start
        self._has_closed = False
        """Whether the last block ended with a quote that closed a value, or is the first of two."""

    def outside(self, block: bytes, octets: Octets, newlines: Words, buffer: Mask) -> Words | None:
        """The bytes that are neither in quotes nor escaped, as bits; a quote itself may be either. None where all are.

        `newlines` are the bits of the block's line ends, `buffer` a mask of its length to write to.
        """
        marked = self._is_first and block.startswith(BOM_UTF8)
        self._is_first = False
        has_escapes = bool(self._dialect.escape_char) and self._dialect.escape_char.encode() in block
        if not self.inside and (not self._quote or self._quote not in block) and not has_escapes:
            self._end(block, has_closed=False)
            return None
        escaped = self._escaped(block) if has_escapes else ()
        quotes = np.equal(octets, self._quote[0], out=buffer) if self._quote else np.zeros_like(buffer)
        if len(escaped):
            quotes[escaped] = False
        toggles = to_words(quotes)
        within = self._within(toggles)
        if self._dialect.comment_prefix or not self._is_regular(
            toggles, within, octets, newlines, buffer, marked=marked
        ):
            kept = list(self._counting(block, set_bits(toggles).tolist(), set(escaped), marked=marked))
            buffer[:] = False
            buffer[kept] = True
            toggles = to_words(buffer)
            within = self._within(toggles)
        self._look_back(block, toggles, within)
        outside = np.invert(within, out=within)
        if len(escaped):
            buffer[:] = False
            buffer[escaped] = True
            outside &= ~to_words(buffer)
        return outside

    def _within(self, toggles: Words) -> Words:
        """Behind an odd number of quotes: of `a,"b""c",d` from the first up to the one before `c`, but the second."""
        within = prefix_xor(toggles.copy())
        return np.invert(within, out=within) if self.inside else within

    def _is_regular(
        self, toggles: Words, within: Words, octets: Octets, newlines: Words, buffer: Mask, *, marked: bool
    ) -> bool:
        """Whether each quote that opens a value stands at its start, or is the second of two: then parity tells all."""
        opening = toggles & within
        # In place from here on: memory taken anew costs as much as the operation.
        behind = toggles ^ opening
        behind |= newlines
        if self._dialect.delimiter:
            behind |= to_words(np.equal(octets, ord(self._dialect.delimiter), out=buffer))
        allowed = behind << _ONE
        allowed[1:] |= np.right_shift(behind, _LAST, out=behind)[:-1]
        if self._at_start or self._has_closed:
            allowed[0] |= _ONE
        if marked:
            allowed[0] |= np.uint64(1 << len(BOM_UTF8))
        opening &= np.invert(allowed, out=allowed)
        return not opening.any()

    def _counting(self, block: bytes, quotes: list[int], escaped: set[int], *, marked: bool) -> Iterator[int]:
        """Of the quotes at these indices those that open or close a value, one by one."""
        inside = self.inside
        closed = -1 if self._has_closed else -2
        for index in quotes:
            if inside:
                inside, closed = False, index
            elif index == closed + 1 or self._opens(block, index, escaped, marked=marked):
                inside = True
            else:
                continue
            yield index

    def _opens(self, block: bytes, index: int, escaped: set[int], *, marked: bool) -> bool:
        if self._dialect.comment_prefix:
            begin = max(block.rfind(b"\n", 0, index), block.rfind(b"\r", 0, index)) + 1
            if block.startswith(self._dialect.comment_prefix.encode(), begin):
                return False
        if not index or (marked and index == len(BOM_UTF8)):
            return self._at_start or bool(index)
        return block[index - 1] in self._starts and index - 1 not in escaped

    def _escaped(self, block: bytes) -> list[int]:
        """Indices of the bytes behind an escape that is none itself."""
        pattern = re.compile(re.escape(self._dialect.escape_char.encode()) + b"(.)", re.DOTALL)
        return [match.start(1) for match in pattern.finditer(block)]

    def _look_back(self, block: bytes, toggles: Words, within: Words) -> None:
        """Note how the block ends."""
        last = len(block) - 1
        word, bit = last >> 6, np.uint64(last & 63)
        is_quote = bool(toggles[word] >> bit & _ONE)
        self.inside = bool(within[word] >> bit & _ONE)
        self.opened = last_bit(toggles & within) if self.inside else -1
        self._end(block, has_closed=is_quote and not self.inside)

    def _end(self, block: bytes, *, has_closed: bool) -> None:
        self._has_closed = has_closed
        self._at_start = not self.inside and block[-1] in self._starts


def last_bit(words: Words) -> int:
    """Of the highest bit that is set its index, -1 where none is: [0b110, 0] -> 2."""
    used = np.flatnonzero(words)
    return int(used[-1]) * 64 + int(words[used[-1]]).bit_length() - 1 if len(used) else -1


def line_ends(block: bytes, octets: Octets, buffer: Mask, *, cr: bool) -> Words:
    """The bits of line feeds and, with `cr`, of carriage returns that none follows; the last byte's may be one."""
    newlines = to_words(np.equal(octets, NEWLINE, out=buffer))
    if cr and b"\r" in block:
        returns = to_words(np.equal(octets, RETURN, out=buffer))
        followed = newlines >> _ONE
        followed[:-1] |= newlines[1:] << _LAST
        newlines |= returns & ~followed
    return newlines
