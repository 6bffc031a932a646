"""Named arrays in a file, whatever its format: what each is, and its values a piece at a time.

`dtype` is NumPy's; where it has none (bfloat16, the floats of 8 bits) values are their bits, and `code` says what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Floats

Values: TypeAlias = npt.NDArray[Any]
"""Some of a tensor's values, in one dimension, of its own dtype."""
BFLOAT16 = "BF16"
EXACT_INTEGERS = 2**53
"""Up to here each whole number is a float."""


@dataclass(frozen=True)
class Tensor:
    """One array: its values lie in the order of C, the last index changing fastest."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    code: str = ""
    """What the bits of `dtype` are where NumPy has no such type."""

    @property
    def count(self) -> int:
        """Of its values."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Of its values in bytes."""
        return self.count * self.dtype.itemsize

    @property
    def called(self) -> str:
        """For messages: `float32 of the shape (3, 4)`."""
        return f"{self.code or self.dtype} of the shape {self.shape}"

    @property
    def is_number(self) -> bool:
        """Whether there is a mean of its values; of texts and truth values, and of bits that are not known, is none."""
        return self.code == BFLOAT16 or (not self.code and self.dtype.kind in "iuf" and self.dtype.itemsize <= 8)


class TensorFile(Protocol):
    """A model in a local file."""

    @property
    def item(self) -> Input:
        """What the file is of, which names itself in messages."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """By name, in the file's order."""

    def values(self, name: str, start: int, count: int) -> Values:
        """So many of a tensor's values from index `start` on; those of one tensor are asked for one after another."""


def as_floats(tensor: Tensor, values: Values) -> Floats:
    """The same numbers, exactly; OverflowError for whole numbers that no float is."""
    if tensor.code == BFLOAT16:
        floats: Floats = (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        return floats
    made: Floats = values.astype(np.float64)
    if tensor.dtype.kind in "iu" and len(made) and float(np.abs(made).max()) > EXACT_INTEGERS:
        raise OverflowError
    return made


def of_floats(tensor: Tensor, floats: Floats) -> Values:
    """Rounded to the tensor's own type, to the nearest, ties to even: 2.5 -> 2 where these are whole numbers."""
    if tensor.code == BFLOAT16:
        return _bfloat16(floats)
    return (np.rint(floats) if tensor.dtype.kind in "iu" else floats).astype(tensor.dtype)


def _bfloat16(floats: Floats) -> Values:
    """The upper halves of float32, to which they are rounded once: first towards zero, with a last bit that says so."""
    near = floats.astype(np.float32)
    bits = near.view(np.uint32).copy()
    is_beyond = np.abs(near.astype(np.float64)) > np.abs(floats)
    bits[is_beyond] -= np.uint32(1)
    bits[near.astype(np.float64) != floats] |= np.uint32(1)
    half = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + half) >> np.uint32(16)).astype(np.uint16)
