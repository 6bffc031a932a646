"""What audio is to the engines: frames (samples of all channels at one time) in arrays, and a format to write them in.

Whole-number samples are taken as 32-bit integers, which holds 8 to 32 bits exactly; others as the floats they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from triptych.engines.api import Input
from triptych.errors import TriptychError

Dtype = Literal["int32", "float32", "float64"]
Samples = npt.NDArray[Any]
"""Frames of one of the three `Dtype`s, with shape (frames, channels); full scale is 2**31, or 1.0 in floats."""

BLOCK_FRAMES = 1 << 16
FLOATS: dict[str, Dtype] = {"FLOAT": "float32", "DOUBLE": "float64"}
"""libsndfile's names of sample types that are floats."""
IN_MP4 = ("AAC", "ALAC")
"""Formats that are a codec in an MP4."""


@dataclass(frozen=True)
class AudioFormat:
    """How audio is written: libsndfile's names of a file format and a sample type; AAC, ALAC, MP3, OPUS are FFmpeg's.

    `fmt_chunk` is what the chunk `fmt ` of a WAV shall hold, when more is known than the sample type, the rate and the
    number of channels; else it is empty.
    """

    format: str
    subtype: str
    fmt_chunk: bytes = b""

    @property
    def dtype(self) -> Dtype:
        """Of the arrays that hold its samples exactly."""
        return FLOATS.get(self.subtype, "int32")

    @property
    def extension(self) -> str:
        """With its dot, in small letters."""
        return ".m4a" if self.format in IN_MP4 else f".{self.format.lower()}"


WAV_OF_FLOATS = AudioFormat("WAV", "FLOAT")
"""What lossy audio is written as once it is decoded: its samples may go beyond full scale."""


class Audio(Protocol):
    """An open audio file; `rate` is in frames a second, `format` is how to write it again without loss."""

    format: AudioFormat
    rate: int
    channels: int

    @property
    def frames(self) -> int | None:
        """How many there are; None where only decoding tells."""

    def blocks(self, dtype: Dtype) -> Iterator[Samples]:
        """All frames in order, in arrays of `dtype` of at most BLOCK_FRAMES; the input's error where one is damaged."""


class SeekableAudio(Audio, Protocol):
    """Audio that can be cut at any frame, as their number is known."""

    @property
    def frames(self) -> int:
        """How many there are."""


def unreadable(item: Input, reason: str) -> TriptychError:
    """The input's error, to be raised, when it is no audio, or not all of it; `reason` is one sentence."""
    return item.error(f"cannot be read as audio: {reason} Make it again, or leave it out.")


def converted(block: Samples, dtype: Dtype) -> Samples:
    """An array of int32 or floats as another, or as it is: full scale of one is full scale of the other.

    Int32 [2**30] is float [0.5]. What is louder than full scale is clipped: libsndfile wraps it, or does not scale
    floats at all.
    """
    if dtype == "int32" and block.dtype != dtype:
        scaled = np.multiply(block, 2.0**31, dtype=np.float64)
        return np.clip(np.rint(scaled, out=scaled), -(2**31), 2**31 - 1, out=scaled).astype(np.int32)
    if block.dtype == np.int32 and dtype != "int32":
        return np.multiply(block, 2.0**-31, dtype=dtype)
    return block.astype(dtype, copy=False)
