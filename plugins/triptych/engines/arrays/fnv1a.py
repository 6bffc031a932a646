"""A hash of texts that is the same everywhere and for ever, of a whole column at once."""

from __future__ import annotations

from typing import Any

OFFSET_BASIS = 0xCBF29CE484222325
PRIME = 0x100000001B3


def fnv1a(texts: Any) -> Any:
    """FNV-1a of 64 bits over the bytes of each text (pyarrow, without nulls), folded to 32 bits by exclusive or.

    Fowler, Noll and Vo; folded because the low bits alone depend on the low bits of the bytes only. uint32.
    """
    import numpy as np

    offsets, data = texts.buffers()[1:]
    width = np.int64 if str(texts.type).startswith("large") else np.int32
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    codes = np.frombuffer(data or b"", np.uint8)
    lengths = np.diff(ends)
    # Longest first: those that still have a byte at a place are the first ones.
    order = np.argsort(-lengths, kind="stable")
    starts, left = ends[:-1][order], lengths[order]
    hashes = np.full(len(order), OFFSET_BASIS, np.uint64)
    counts = len(order) - np.searchsorted(left[::-1], np.arange(int(left.max(initial=0))), side="right")
    for place, count in enumerate(counts.tolist()):
        hashes[:count] = (hashes[:count] ^ codes[starts[:count] + place]) * np.uint64(PRIME)
    found = np.empty(len(order), np.uint32)
    found[order] = (hashes >> np.uint64(32)) ^ (hashes & np.uint64(0xFFFFFFFF))
    return found
