"""A hash of texts that is the same everywhere and for ever, of a whole column at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

OFFSET_BASIS = 0xCBF29CE484222325
PRIME = 0x100000001B3


def fnv1a(texts: pa.StringArray | pa.LargeStringArray) -> npt.NDArray[np.uint32]:
    """FNV-1a of 64 bits over the bytes of each text (none is null), folded to 32 bits by exclusive or.

    Fowler, Noll and Vo; folded because the low bits alone depend on the low bits of the bytes only.

    All texts are hashed side by side, a byte of each at a time: of ["b", "abc", ""] first `a` and `b`, then `b`, then
    `c`. Sorted by length, longest first ("abc", "b", ""), the texts that still have a byte at an index are the first
    ones: counts is [2, 1, 1], and round i works on the first counts[i] hashes. ["", "a"] -> [0x4FD0BFC1, 0x296230C0]
    folds what the authors published, 0xCBF29CE484222325 and 0xAF63DC4C8601EC8C.
    """
    offsets, data = texts.buffers()[1:]
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    bounds = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    octets = np.frombuffer(data or b"", np.uint8)
    lengths = np.diff(bounds)
    order = np.argsort(-lengths, kind="stable")  # Longest first.
    starts, sorted_lengths = bounds[:-1][order], lengths[order]
    indices = np.arange(int(sorted_lengths.max(initial=0)))
    counts = len(order) - np.searchsorted(sorted_lengths[::-1], indices, side="right")
    hashes = np.full(len(order), OFFSET_BASIS, np.uint64)
    for index, count in enumerate(counts.tolist()):
        hashes[:count] = (hashes[:count] ^ octets[starts[:count] + index]) * np.uint64(PRIME)
    folded = np.empty(len(order), np.uint32)
    folded[order] = (hashes >> np.uint64(32)) ^ (hashes & np.uint64(0xFFFFFFFF))
    return folded
