"""What audio is to the engines: frames (samples of all channels at one time) in arrays, and a kind to write them as.

Whole-number samples are taken as 32-bit integers, which holds 8 to 32 bits exactly; others as the floats they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

BLOCK_FRAMES = 1 << 16
FLOATS = {"FLOAT": "float32", "DOUBLE": "float64"}


@dataclass(frozen=True)
class Kind:
    """How audio is written: libsndfile's format and sample type, and the extension.

    `form` is what the chunk `fmt ` of a WAV shall hold, when more is known than the sample type, the rate and the
    number of channels.
    """

    format: str
    subtype: str
    extension: str
    form: bytes = b""

    @property
    def dtype(self) -> str:
        return FLOATS.get(self.subtype, "int32")


class Audio(Protocol):
    """An audio file that can be read; `rate` is in frames a second, `kind` is how to write it again."""

    kind: Kind
    rate: int
    channels: int
    frames: int

    def blocks(self, dtype: str) -> Iterator[Any]:
        """All frames in order, in arrays (frames, channels) of int32 or of floats, of BLOCK_FRAMES at most."""


def converted(block: Any, dtype: str) -> Any:
    """An array of int32 or floats as another, or as it is: full scale of one is full scale of the other.

    What is louder than that is clipped: libsndfile wraps it, or does not scale floats at all.
    """
    import numpy as np

    if dtype == "int32" and block.dtype != dtype:
        scaled = np.multiply(block, 2.0**31, dtype=np.float64)
        return np.clip(np.rint(scaled, out=scaled), -(2**31), 2**31 - 1, out=scaled).astype(np.int32)
    if block.dtype == np.int32 and dtype != "int32":
        return np.multiply(block, 2.0**-31, dtype=dtype)
    return block.astype(dtype, copy=False)
