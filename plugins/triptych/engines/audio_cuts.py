"""What the audio partitioners share: pieces of a source, from one place to another, as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from triptych.engines.api import Chunk, Source
from triptych.engines.audio import audio_errors, frames, kind_of, open_audio, source_fault, write_audio
from triptych.engines.resources import resources
from triptych.errors import SourceError


@dataclass(frozen=True)
class Span:
    """A piece of an audio file: its first frame, the frame behind its last, and what else its metadata shall say."""

    start: int
    end: int
    about: Mapping[str, Any] = field(default_factory=dict)


Spans = Callable[[Any, Mapping[str, Any]], Iterable[Span]]
"""Of each piece of an open audio file, in order."""


def audio_chunks(
    sources: Sequence[Source], params: Mapping[str, Any], spans: Spans, overlap: int = 0
) -> Iterator[Chunk]:
    """Every source's pieces; `overlap` is in milliseconds and only told to the joiner."""
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
        kind, rate = kind_of(audio), audio.samplerate
        shared = {"source": source.name, "sample_rate": rate, "channels": audio.channels}
        for index, span in enumerate(spans(audio, params)):
            start, end = span.start, span.end
            write_audio(path, kind, rate, audio.channels, frames(audio, start, end - start, kind.dtype))
            about = {**shared, **span.about, "index": index, "first_frame": start, "frames": end - start}
            about["span"] = {"start_s": start / rate, "end_s": end / rate}
            if overlap:
                about["overlap_frames"] = overlap * rate // 1000 if index else 0
            name = f"{source.name}_{start / rate:012.3f}.{kind.extension}"
            yield Chunk.of_file(path, name=name, metadata=about)
            path.unlink()
