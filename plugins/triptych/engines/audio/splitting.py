"""What the audio partitioners share: pieces of a source, from one place to another, as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from triptych.engines.api import Chunk, Source
from triptych.engines.audio.model import Audio
from triptych.engines.audio.opening import audio_errors, open_to_cut, source_fault
from triptych.engines.audio.riff import frame_bytes, wave_file, wave_form
from triptych.engines.audio.soundfile_reader import CodedAudio, write_coded
from triptych.engines.audio.wav_reader import WaveAudio, wave_chunk, wave_samples
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.prefetch import prefetch
from triptych.errors import SourceError


@dataclass(frozen=True)
class Span:
    """A piece of an audio file: its first frame, the frame behind its last, and what else its metadata shall say."""

    start: int
    end: int
    about: Mapping[str, Any] = field(default_factory=dict)


Spans = Callable[[Audio, Mapping[str, Any]], Iterable[Span]]
"""Of each piece of an open audio file, in order."""


def audio_chunks(
    sources: Sequence[Source], params: Mapping[str, Any], spans: Spans, overlap: int = 0
) -> Iterator[Chunk]:
    """Every source's pieces; `overlap` is in milliseconds and only told to the joiner.

    Of a WAV they are ranges, which copy nothing; of anything else they are decoded and written again.
    """
    for source in sources:
        if not source.size:
            msg = f"{source.uri}: is empty, and an audio file is not."
            raise SourceError(msg)
        try:
            yield from _of_source(source, params, spans, overlap)
        except audio_errors() as error:
            raise source_fault(source, error) from error


def _of_source(source: Source, params: Mapping[str, Any], spans: Spans, overlap: int) -> Iterator[Chunk]:
    with open_to_cut(source) as audio:
        numbered = enumerate(spans(audio, params))
        if isinstance(audio, WaveAudio):
            for index, span in numbered:
                about = _about(source, audio, index, span, overlap)
                yield wave_chunk(source, audio.header, span.start, span.end, **about)
            return
        for index, span, path in _written(audio, numbered):
            yield Chunk.of_file(path, **_about(source, audio, index, span, overlap))
            path.unlink()


def _about(source: Source, audio: Audio, index: int, span: Span, overlap: int) -> dict[str, Any]:
    metadata = {
        "source": source.name,
        "sample_rate": audio.rate,
        "channels": audio.channels,
        **span.about,
        "index": index,
        "first_frame": span.start,
        "frames": span.end - span.start,
        "span": {"start_s": span.start / audio.rate, "end_s": span.end / audio.rate},
    }
    if overlap:
        metadata["overlap_frames"] = overlap * audio.rate // 1000 if index else 0
    return {"name": f"{source.name}_{span.start / audio.rate:012.3f}.{audio.kind.extension}", "metadata": metadata}


def _written(audio: CodedAudio, numbered: Iterable[tuple[int, Span]]) -> Iterator[tuple[int, Span, Path]]:
    """Each piece as a scratch file, always the same; the next piece is decoded while one is written and used."""
    path = resources().new_folder() / "piece"
    blocks = ((piece, block) for piece in numbered for block in audio.run(piece[1].start, piece[1].end))
    with closing(prefetch(blocks)) as ahead:
        for (index, span), group in groupby(ahead, itemgetter(0)):
            _write(path, audio, span.end - span.start, (block for _, block in group))
            yield index, span, path


def _write(path: Path, audio: CodedAudio, frames: int, blocks: Iterable[Any]) -> None:
    if audio.kind.format != "WAV":
        write_coded(path, audio.kind, audio.rate, audio.channels, blocks)
        return
    form = wave_form(audio.kind.subtype, audio.rate, audio.channels)
    with path.open("wb") as out:
        out.writelines(wave_file(form, frames * frame_bytes(form), wave_samples(blocks, audio.kind.subtype)))
