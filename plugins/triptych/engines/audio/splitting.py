"""What the audio partitioners share: spans of an open source as chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from triptych.engines.api import Chunk, Source
from triptych.engines.audio.model import Samples
from triptych.engines.audio.riff import frame_bytes, plain_fmt_chunk, wave_file
from triptych.engines.audio.soundfile_reader import SoundFileReader, write_coded
from triptych.engines.audio.span import AudioSpan
from triptych.engines.audio.tags import read_tags
from triptych.engines.audio.wav_reader import WavReader, wav_chunk, wav_samples
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.prefetch import prefetch


def audio_chunks(source: Source, audio: WavReader | SoundFileReader, spans: Iterable[AudioSpan]) -> Iterator[Chunk]:
    """The spans of a source that `open_seekable` has opened, named for the time at which they begin.

    Of a WAV they are ranges, which copy nothing; of anything else they are decoded and written again, and of each span
    the file is removed when the next is asked for.
    """
    tags = read_tags(source)
    spans = (replace(span, tags=tags) for span in spans)
    if isinstance(audio, WavReader):
        for span in spans:
            yield wav_chunk(source, audio.header, span, _name(source, audio, span))
        return
    for span, path in _written(audio, spans):
        yield Chunk.of_file(path, name=_name(source, audio, span), metadata=span.to_metadata())
        path.unlink()


def _name(source: Source, audio: WavReader | SoundFileReader, span: AudioSpan) -> str:
    return f"{source.name}_{span.start_s:012.3f}{audio.format.extension}"


def _written(audio: SoundFileReader, spans: Iterable[AudioSpan]) -> Iterator[tuple[AudioSpan, Path]]:
    """Each span as the one scratch file; the next span is decoded while one is written and used."""
    path = resources().new_folder() / "span"
    blocks = (
        (number, span, block)
        for number, span in enumerate(spans)
        for block in audio.run(span.first_frame, span.first_frame + (span.frames or 0))
    )
    with closing(prefetch(blocks)) as ahead:
        for (_, span), group in groupby(ahead, itemgetter(0, 1)):
            _write(path, audio, span.frames or 0, (block for _, _, block in group))
            yield span, path


def _write(path: Path, audio: SoundFileReader, frames: int, blocks: Iterable[Samples]) -> None:
    target = audio.format
    if target.format != "WAV":
        write_coded(path, target, audio.rate, audio.channels, blocks)
        return
    fmt_chunk = plain_fmt_chunk(target.subtype, audio.rate, audio.channels)
    with path.open("wb") as out:
        out.writelines(wave_file(fmt_chunk, frames * frame_bytes(fmt_chunk), wav_samples(blocks, target.subtype)))
