"""WAV files of PCM or floats by their bytes: read as arrays, cut as ranges, and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from triptych.engines.api import Chunk, Result, Source
from triptych.engines.audio.model import BLOCK_FRAMES, Kind, converted
from triptych.engines.audio.riff import WaveHeader, wave_header

STORED = {"PCM_U8": "<u1", "PCM_16": "<i2", "PCM_24": "<u1", "PCM_32": "<i4", "FLOAT": "<f4", "DOUBLE": "<f8"}
"""What NumPy reads of each sample type; of PCM_24 it reads bytes."""


class WaveAudio:
    """The audio of a WAV file (`triptych.engines.audio_kinds.Audio`)."""

    def __init__(self, file: Source | Result, header: WaveHeader) -> None:
        self._file, self.header = file, header
        self.kind = Kind("WAV", header.subtype or "", "wav", header.form)
        self.rate, self.channels = header.rate, header.channels
        self.frames = header.length // header.frame_bytes

    def data(self) -> Iterator[bytes]:
        """The bytes of the samples; the whole file is read, so that what checks it sees its end."""
        start, end, place = self.header.offset, self.header.offset + self.header.length, 0
        for block in self._file.stream():
            if part := block[max(0, start - place) : max(0, end - place)]:
                yield part
            place += len(block)

    def blocks(self, dtype: str) -> Iterator[Any]:
        frame, rest = self.header.frame_bytes, b""
        for part in self.data():
            rest += part
            whole = len(rest) - len(rest) % frame
            for start in range(0, whole, BLOCK_FRAMES * frame):
                samples = _samples(rest[start : min(whole, start + BLOCK_FRAMES * frame)], self.kind.subtype)
                yield converted(samples.reshape(-1, self.channels), dtype)
            rest = rest[whole:]


def wave_chunk(source: Source, header: WaveHeader, start: int, end: int, **about: Any) -> Chunk:
    """The frames from `start` to before `end`, as ranges of the source behind a header of their own."""
    length = (end - start) * header.frame_bytes
    runs = [(header.offset + start * header.frame_bytes, length)]
    if length % 2:  # RIFF pads with zero, and a chunk of ranges can only take that from the source.
        runs.append((header.zero, 1))
    return Chunk.of_ranges(source, runs, wave_header(header.form, length), **about)


def wave_samples(blocks: Iterable[Any], subtype: str) -> Iterator[bytes]:
    """Arrays of int32 or floats as the bytes of a WAV; what a sample type has no bits for is cut off."""
    for block in blocks:
        if subtype == "PCM_24":
            yield block.astype("<i4").view("u1").reshape(-1, 4)[:, 1:].tobytes()
            continue
        if subtype in ("PCM_U8", "PCM_16"):
            block = (block >> 24) + 128 if subtype == "PCM_U8" else block >> 16
        yield block.astype(STORED[subtype], copy=False).tobytes()


def _samples(data: bytes, subtype: str) -> Any:
    """As int32 whose highest bits are the sample, or as the floats they are."""
    import numpy as np

    stored = np.frombuffer(data, STORED[subtype])
    if subtype == "PCM_24":
        wide = np.zeros((len(stored) // 3, 4), np.uint8)
        wide[:, 1:] = stored.reshape(-1, 3)
        return wide.view("<i4").reshape(-1)
    if stored.dtype.kind == "f":
        return stored
    samples = stored.astype(np.int32)
    return (samples - 128 if subtype == "PCM_U8" else samples) << 32 - stored.itemsize * 8
