"""Audio decoded by FFmpeg into a scratch file: what libsndfile does not know, or is slow to decode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

from triptych.engines.api import Result, Source
from triptych.engines.audio_ends import DamagedAudioError, ends_early
from triptych.engines.audio_kinds import BLOCK_FRAMES
from triptych.engines.read_ahead import read_ahead
from triptych.engines.resources import need, resources


def decoded(file: Source | Result, told: int | None = None) -> Any:
    """A SoundFile of 32-bit floats, which is what lossy formats decode to; its scratch file goes when it is closed.

    Of `told` frames, where that is known: FFmpeg does not always leave out what the encoder put behind the end.
    Raises DamagedAudioError when there are fewer, or bytes that an index tells of are missing.
    """
    av, soundfile = need("av", "media"), need("soundfile", "media")
    path = resources().new_folder() / "decoded.wav"
    with file.open() as data, av.open(data) as container:
        stream = container.streams.audio[0]
        _check_index(stream, file.size)
        with (
            soundfile.SoundFile(path, "w", stream.rate, stream.layout.nb_channels, "FLOAT", format="RF64") as out,
            closing(read_ahead(_samples(container, stream))) as blocks,
        ):
            for block in blocks:
                out.write(block if told is None else block[: told - out.frames])
            count = out.frames
    if told is not None and count < told:
        msg = f"it ends or is damaged: there are {count} of {told} frames in its {file.size} bytes."
        raise DamagedAudioError(msg)
    audio = soundfile.SoundFile(path)
    path.unlink()
    return audio


def _samples(container: Any, stream: Any) -> Iterator[Any]:
    """Float32 arrays (frames, channels), without what is before the time 0: it only starts the decoder."""
    resampler = need("av", "media").AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
    frames = container.decode(stream)
    if (first := next(frames, None)) is None:
        return
    early = max(0, -round((first.time or 0) * stream.rate))
    for frame in chain(_long_frames(chain([first], frames)), [None]):
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray().reshape(piece.samples, -1)
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
