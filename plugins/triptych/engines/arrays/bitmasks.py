"""Masks of bytes as bits in 64-bit words: bit i of word w stands for byte 64 w + i."""

from __future__ import annotations

from typing import Any


def words(mask: Any) -> Any:
    """A mask of bytes as words, zeros at the end."""
    import numpy as np

    packed = np.packbits(mask, bitorder="little")
    if short := -len(packed) % 8:
        packed = np.append(packed, np.zeros(short, np.uint8))
    return packed.view("<u8")


def places(bits: Any) -> Any:
    """Where bits are set, ascending, as an int64 array."""
    import numpy as np

    # As booleans: NumPy finds those several times faster than numbers that are not zero.
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little").view(bool))


def odd_so_far(bits: Any) -> Any:
    """Bit i says whether an odd number of bits up to and with i are set (Langdale and Lemire, "Parsing Gigabytes of
    JSON per Second", 3.1.1); in place.
    """
    import numpy as np

    moved = np.empty_like(bits)
    for shift in (1, 2, 4, 8, 16, 32):
        bits ^= np.left_shift(bits, np.uint64(shift), out=moved)
    # Each word's last bit is its own parity: what came before it flips the whole word.
    parity = np.bitwise_xor.accumulate(bits >> np.uint64(63))
    bits[1:] ^= np.negative(parity[:-1])
    return bits
