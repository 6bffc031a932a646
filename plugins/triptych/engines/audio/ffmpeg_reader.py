"""Audio decoded by FFmpeg: what libsndfile does not know, or is slow to decode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, BinaryIO

from triptych.engines.audio.model import BLOCK_FRAMES, Kind, converted
from triptych.engines.audio.truncation import DamagedAudioError, ends_early
from triptych.engines.runtime.resources import need, resources
from triptych.engines.streams.prefetch import prefetch

LONGEST_REST_S = 1
"""As long as a page of Ogg is meant to be at most, in whose last the encoder's rest is."""


class DecodedAudio:
    """What FFmpeg decodes from a file, as 32-bit floats, which is what lossy formats decode to.

    Of `frames`, where that is known: FFmpeg does not always leave out what the encoder put behind the end.
    Raises DamagedAudioError when there are fewer, or more than that explains, or bytes that an index tells of are
    missing.
    """

    kind = Kind("WAV", "FLOAT", "wav")

    def __init__(self, data: BinaryIO, size: int, frames: int | None = None) -> None:
        """`data` is the open file, of `size` bytes."""
        self._data, self._size, self.frames = data, size, frames
        with self._opened() as container:
            stream = container.streams.audio[0]
            _check_index(stream, size)
            self.rate, self.channels = stream.rate, stream.layout.nb_channels

    def blocks(self, dtype: str) -> Iterator[Any]:
        """All frames, decoded as they are asked for (`triptych.engines.audio_kinds.Audio`)."""
        count = 0
        with self._opened() as container:
            for samples in _samples(container, container.streams.audio[0]):
                block = samples if self.frames is None else samples[: max(0, self.frames - count)]
                count += len(samples)
                if len(block):
                    yield converted(block, dtype)
        if self.frames is not None and not self.frames <= count <= self.frames + LONGEST_REST_S * self.rate:
            msg = (
                f"it is damaged, or two in one: there are {count}, not {self.frames} frames in its {self._size} bytes."
            )
            raise DamagedAudioError(msg)

    @contextmanager
    def kept(self) -> Iterator[tuple[Any, BinaryIO]]:
        """All frames as a SoundFile in the scratch folder, in which any can be gone to; and the file it is of."""
        soundfile, path = need("soundfile", "media"), resources().new_folder() / "decoded.wav"
        with (
            soundfile.SoundFile(path, "w", self.rate, self.channels, self.kind.subtype, format="RF64") as out,
            closing(prefetch(self.blocks(self.kind.dtype))) as blocks,
        ):
            for block in blocks:
                out.write(block)
        with soundfile.SoundFile(path) as audio:
            path.unlink()
            yield audio, self._data

    def _opened(self) -> Any:
        self._data.seek(0)
        return need("av", "media").open(self._data)


def _samples(container: Any, stream: Any) -> Iterator[Any]:
    """Float32 arrays (frames, channels), without what is before the time 0: it only starts the decoder."""
    import numpy as np

    channels = stream.layout.nb_channels
    resampler = need("av", "media").AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
    frames = container.decode(stream)
    if (first := next(frames, None)) is None:
        return
    early = max(0, -round((first.time or 0) * stream.rate))
    for frame in chain(_long_frames(chain([first], frames)), [None]):
        for piece in resampler.resample(frame):
            samples = np.frombuffer(piece.planes[0], np.float32, piece.samples * channels).reshape(-1, channels)
            yield samples[early:]
            early = max(0, early - len(samples))


def _long_frames(frames: Iterator[Any]) -> Iterator[Any]:
    """The same samples in frames of BLOCK_FRAMES: each costs a turn of Python, and a decoder's hold about 1000."""
    fifo, form = need("av", "media").AudioFifo(), None
    for frame in frames:
        found = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
        form = form or found
        if found != form:  # AudioFifo would take it, and reach beyond the frame's memory.
            msg = f"its rate, channels or sample type change behind frame {fifo.samples_written}."
            raise DamagedAudioError(msg)
        frame.pts = None  # Else a gap in time were an error.
        fifo.write(frame)
        if fifo.samples >= BLOCK_FRAMES:
            yield fifo.read(BLOCK_FRAMES)
    if fifo.samples:
        yield fifo.read()


def _check_index(stream: Any, size: int) -> None:
    """MP4 and its kin have an index of all packets; the length of other files is FFmpeg's estimate."""
    end = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    if end > size:
        raise ends_early(size, end - size)
