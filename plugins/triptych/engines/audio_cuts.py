"""What the audio partitioners share: pieces of a source, from one place to another, as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.engines.api import Chunk, Source
from triptych.engines.audio import audio_errors, open_audio, source_fault
from triptych.engines.audio_kinds import Audio
from triptych.engines.coded_audio import CodedAudio, write_coded
from triptych.engines.read_ahead import read_ahead
from triptych.engines.resources import resources
from triptych.engines.riff import frame_bytes, wave_file, wave_form
from triptych.engines.waves import WaveAudio, wave_chunk, wave_samples
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
    path = resources().new_folder() / "piece"
    with open_audio(source) as audio:
        for index, span in enumerate(spans(audio, params)):
            about = _about(source, audio, index, span)
            if overlap:
                about["overlap_frames"] = overlap * audio.rate // 1000 if index else 0
            name = f"{source.name}_{span.start / audio.rate:012.3f}.{audio.kind.extension}"
            if isinstance(audio, WaveAudio):
                yield wave_chunk(source, audio.header, span.start, span.end, name=name, metadata=about)
            else:
                _write(path, audio, span)
                yield Chunk.of_file(path, name=name, metadata=about)
                path.unlink()


def _about(source: Source, audio: Audio, index: int, span: Span) -> dict[str, Any]:
    return {
        "source": source.name,
        "sample_rate": audio.rate,
        "channels": audio.channels,
        **span.about,
        "index": index,
        "first_frame": span.start,
        "frames": span.end - span.start,
        "span": {"start_s": span.start / audio.rate, "end_s": span.end / audio.rate},
    }


def _write(path: Path, audio: CodedAudio, span: Span) -> None:
    blocks = read_ahead(audio.run(span.start, span.end, audio.kind.dtype))
    if audio.kind.format != "WAV":
        write_coded(path, audio.kind, audio.rate, audio.channels, blocks)
        return
    form = wave_form(audio.kind.subtype, audio.rate, audio.channels)
    with path.open("wb") as out:
        out.writelines(
            wave_file(form, (span.end - span.start) * frame_bytes(form), wave_samples(blocks, audio.kind.subtype))
        )
