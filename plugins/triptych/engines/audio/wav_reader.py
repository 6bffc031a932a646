"""WAV files of PCM or floats by their bytes: read as arrays, cut as ranges, and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from triptych.engines.api import Chunk, Input, Source
from triptych.engines.audio.model import BLOCK_FRAMES, AudioFormat, Dtype, Samples, converted
from triptych.engines.audio.riff import WaveHeader, wave_header
from triptych.engines.audio.span import AudioSpan

STORED = {"PCM_U8": "<u1", "PCM_16": "<i2", "PCM_24": "<u1", "PCM_32": "<i4", "FLOAT": "<f4", "DOUBLE": "<f8"}
"""What NumPy reads of each sample type; of PCM_24 it reads bytes."""


class WavReader:
    """The audio of a WAV file (`triptych.engines.audio.model.SeekableAudio`); it keeps no file open."""

    def __init__(self, item: Input, header: WaveHeader) -> None:
        self._item, self.header = item, header
        self.format = AudioFormat("WAV", header.subtype or "", header.fmt_chunk)
        self.rate, self.channels = header.rate, header.channels
        self.frames = header.length // header.frame_bytes

    def data(self) -> Iterator[bytes]:
        """The bytes of the samples; the whole file is read, so that what checks it sees its end."""
        start, end, position = self.header.offset, self.header.offset + self.header.length, 0
        for block in self._item.stream():
            if part := block[max(0, start - position) : max(0, end - position)]:
                yield part
            position += len(block)

    def blocks(self, dtype: Dtype) -> Iterator[Samples]:
        """All frames in order, in arrays (frames, channels) of `dtype`, of BLOCK_FRAMES at most."""
        frame, rest = self.header.frame_bytes, b""
        for part in self.data():
            rest += part
            whole = len(rest) - len(rest) % frame
            for start in range(0, whole, BLOCK_FRAMES * frame):
                samples = _samples(rest[start : min(whole, start + BLOCK_FRAMES * frame)], self.format.subtype)
                yield converted(samples.reshape(-1, self.channels), dtype)
            rest = rest[whole:]


def wav_chunk(source: Source, header: WaveHeader, span: AudioSpan, name: str) -> Chunk:
    """The span's frames as ranges of the source behind a header of their own."""
    length = (span.frames or 0) * header.frame_bytes
    runs = [(header.offset + span.first_frame * header.frame_bytes, length)]
    if length % 2:  # RIFF pads with zero, and a chunk of ranges can only take that from the source.
        runs.append((header.zero_offset, 1))
    prefix = wave_header(header.fmt_chunk, length)
    return Chunk.of_ranges(source, runs, prefix, name=name, metadata=span.to_metadata())


def wav_samples(blocks: Iterable[Samples], subtype: str) -> Iterator[bytes]:
    """Arrays of int32 or floats as the bytes of a WAV; what a sample type has no bits for is cut off.

    In PCM_16 the int32 [[0x12345678]] is the bytes 34 12; in PCM_24 it is 56 34 12.
    """
    for block in blocks:
        if subtype == "PCM_24":
            yield block.astype("<i4").view("u1").reshape(-1, 4)[:, 1:].tobytes()
            continue
        if subtype in ("PCM_U8", "PCM_16"):
            block = (block >> 24) + 128 if subtype == "PCM_U8" else block >> 16
        yield block.astype(STORED[subtype], copy=False).tobytes()


def _samples(data: bytes, subtype: str) -> Samples:
    """As int32 whose highest bits are the sample, or as the floats they are; one after the other, in one dimension.

    The bytes 34 12 of PCM_16 are [0x12340000], the bytes 56 34 12 of PCM_24 are [0x12345600].
    """
    stored: Samples = np.frombuffer(data, STORED[subtype])
    if subtype == "PCM_24":
        wide = np.zeros((len(stored) // 3, 4), np.uint8)
        wide[:, 1:] = stored.reshape(-1, 3)
        return wide.view("<i4").reshape(-1)
    if stored.dtype.kind == "f":
        return stored
    samples = stored.astype(np.int32)
    return (samples - 128 if subtype == "PCM_U8" else samples) << 32 - stored.itemsize * 8
