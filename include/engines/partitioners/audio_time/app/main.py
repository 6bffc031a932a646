"""Spans of equal length of each source, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.audio.model import SeekableAudio
from triptych.engines.audio.opening import open_seekable
from triptych.engines.audio.span import AudioSpan
from triptych.engines.audio.splitting import audio_chunks
from triptych.errors import JobSpecError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    if params["overlap_ms"] >= params["segment_s"] * 1000:
        msg = f"params.partitioner.overlap_ms: must be below the length of {params['segment_s']} s."
        raise JobSpecError(msg)
    for source in sources:
        with open_seekable(source) as audio:
            yield from audio_chunks(source, audio, _spans(source, audio, params))


def _spans(source: Source, audio: SeekableAudio, params: Mapping[str, Any]) -> Iterator[AudioSpan]:
    length = max(1, round(params["segment_s"] * audio.rate))
    overlap = params["overlap_ms"] * audio.rate // 1000
    start = 0
    while start == 0 or start + overlap < audio.frames:
        end = min(start + length, audio.frames)
        yield AudioSpan.between(source, audio, start, end, overlap_frames=overlap if start else 0)
        start += length - overlap
