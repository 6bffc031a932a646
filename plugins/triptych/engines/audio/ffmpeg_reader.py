"""Audio decoded by FFmpeg: what libsndfile does not know, or is slow to decode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import av
import numpy as np
import soundfile

from triptych.engines.api import Input
from triptych.engines.audio.model import BLOCK_FRAMES, WAV_OF_FLOATS, Dtype, Samples, converted, unreadable
from triptych.engines.audio.truncation import ends_early
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.ffmpeg_errors import reason_of
from triptych.engines.streams.prefetch import prefetch

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

LONGEST_REST_S = 1
"""As long as a page of Ogg is meant to be at most, in whose last the encoder's rest is."""


class FFmpegReader:
    """What FFmpeg decodes from a file (`triptych.engines.audio.model.Audio`).

    As 32-bit floats, which is what lossy formats decode to. Of `frames`, where that is known: FFmpeg does not always
    leave out what the encoder put behind the end. Raises the input's error when there are fewer, or more than that
    explains, or bytes that an index tells of are missing.
    """

    format = WAV_OF_FLOATS

    def __init__(self, data: BinaryIO, item: Input, frames: int | None = None) -> None:
        """`data` is the input's open file."""
        self._data, self._item, self.frames = data, item, frames
        with self._opened() as (_, stream):
            self._require_index(stream)
            self.rate, self.channels = stream.rate, stream.layout.nb_channels

    def blocks(self, dtype: Dtype) -> Iterator[Samples]:
        """All frames in order, decoded as they are asked for, in arrays (frames, channels) of `dtype`."""
        count = 0
        with self._opened() as (container, stream):
            for samples in self._decoded(container, stream):
                block = samples if self.frames is None else samples[: max(0, self.frames - count)]
                count += len(samples)
                if len(block):
                    yield converted(block, dtype)
        if self.frames is not None and not self.frames <= count <= self.frames + LONGEST_REST_S * self.rate:
            promised = f"there are {count}, not {self.frames} frames in its {self._item.size} bytes"
            raise unreadable(self._item, f"it is damaged, or two in one: {promised}.")

    @contextmanager
    def decoded(self) -> Iterator[tuple[soundfile.SoundFile, BinaryIO]]:
        """All frames as a SoundFile in the scratch folder, in which any can be gone to; and the file it is made of."""
        path = resources().new_folder() / "decoded.wav"
        with (
            soundfile.SoundFile(path, "w", self.rate, self.channels, self.format.subtype, format="RF64") as out,
            closing(prefetch(self.blocks(self.format.dtype))) as blocks,
        ):
            for block in blocks:
                out.write(block)
        with soundfile.SoundFile(path) as audio:
            path.unlink()
            yield audio, self._data

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, AudioStream]]:
        """The file from its beginning, and its first audio; what FFmpeg says of it while this lasts is our error."""
        self._data.seek(0)
        try:
            with av.open(self._data, "r") as container:
                if not container.streams.audio:
                    raise unreadable(self._item, "there is no audio in it.")
                yield container, container.streams.audio[0]
        except av.FFmpegError as error:
            raise unreadable(self._item, f"{reason_of(error)}.") from error

    def _require_index(self, stream: AudioStream) -> None:
        """MP4 and its kin have an index of all packets; the length of other files is FFmpeg's estimate."""
        end = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
        if end > self._item.size:
            raise ends_early(self._item, end - self._item.size)

    def _decoded(self, container: InputContainer, stream: AudioStream) -> Iterator[Samples]:
        """Float32 arrays (frames, channels), without what is before the time 0: it only starts the decoder."""
        channels = stream.layout.nb_channels
        resampler = av.AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
        frames = container.decode(stream)
        if (first := next(frames, None)) is None:
            return
        early = max(0, -round((first.time or 0) * stream.rate))
        for frame in chain(self._long_frames(chain([first], frames)), [None]):
            for part in resampler.resample(frame):
                flat = np.frombuffer(memoryview(part.planes[0]), np.float32, part.samples * channels)
                samples = flat.reshape(-1, channels)
                yield samples[early:]
                early = max(0, early - len(samples))

    def _long_frames(self, frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
        """The same samples in frames of BLOCK_FRAMES: each costs a turn of Python, and a decoder's hold about 1000."""
        fifo, expected = av.AudioFifo(), None
        for frame in frames:
            layout = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
            expected = expected or layout
            if layout != expected:  # AudioFifo would take it, and reach beyond the frame's memory.
                change = f"its rate, channels or sample type change behind frame {fifo.samples_written}."
                raise unreadable(self._item, change)
            frame.pts = None  # Else a gap in time were an error.
            fifo.write(frame)
            if fifo.samples >= BLOCK_FRAMES:
                yield fifo.read(BLOCK_FRAMES)
        if fifo.samples:
            yield fifo.read()
