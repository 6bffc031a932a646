"""Opening an audio file, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triptych.engines.api import Input
from triptych.engines.audio.ffmpeg_reader import FFmpegReader
from triptych.engines.audio.riff import read_wave_header
from triptych.engines.audio.soundfile_reader import SoundFileReader, open_coded
from triptych.engines.audio.truncation import require_end
from triptych.engines.audio.wav_reader import WavReader


@contextmanager
def open_audio(item: Input) -> Iterator[WavReader | SoundFileReader | FFmpegReader]:
    """A WavReader, which needs no closing, where the file's bytes are its samples; else what decodes it best.

    Raises the input's error when it is empty, no audio, or not all there.
    """
    if not item.size:
        text = "is empty, and an audio file is not. Leave it out."
        raise item.error(text)
    with item.open() as data:
        header = read_wave_header(data, item)
        if header and header.subtype:
            yield WavReader(item, header)
            return
        require_end(data, item)
        with open_coded(data, item) as audio:
            yield audio


@contextmanager
def open_seekable(item: Input) -> Iterator[WavReader | SoundFileReader]:
    """Like `open_audio`, and any frame can be gone to: what FFmpeg decodes is decoded into the scratch folder first."""
    with open_audio(item) as audio:
        if not isinstance(audio, FFmpegReader):
            yield audio
            return
        with audio.decoded() as (decoded, data):
            yield SoundFileReader(decoded, data, item)
