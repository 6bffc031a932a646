"""Masks of bytes as bits in 64-bit words: bit i of word w stands for byte 64 w + i."""

from __future__ import annotations

import numpy as np

from triptych.engines.arrays.aliases import Mask, Offsets, Words


def to_words(mask: Mask) -> Words:
    """A mask (one element per byte) with 64 flags to a word, zeros behind the end: [0, 1, 1] -> [0b110]."""
    packed = np.packbits(mask, bitorder="little")
    if short := -len(packed) % 8:
        packed = np.append(packed, np.zeros(short, np.uint8))
    return packed.view("<u8")


def set_bits(words: Words) -> Offsets:
    """The indices of the bits that are set, ascending: [0b110, 0b1] -> [1, 2, 64]."""
    # As booleans: NumPy finds those several times faster than numbers that are not zero.
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little").view(bool))


def prefix_xor(words: Words) -> Words:
    """Bit i becomes the exclusive or of the bits up to and with i: whether an odd number of them is set; in place.

    Of quotes it makes what they enclose, each opening one with it: `..1...1..` (bit 0 at the left) -> `..1111...`.
    Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 3.1.1, over all words at once.
    """
    moved = np.empty_like(words)
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= np.left_shift(words, np.uint64(shift), out=moved)
    # Each word's last bit is its own parity: what came before it flips the whole word.
    parity = np.bitwise_xor.accumulate(words >> np.uint64(63))
    words[1:] ^= np.negative(parity[:-1])
    return words
