"""Pieces of equal length of each source, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.audio.model import Audio
from triptych.engines.audio.splitting import Span, audio_chunks
from triptych.errors import JobSpecError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    if params["overlap_ms"] >= params["seconds"] * 1000:
        msg = f"params.partitioner.overlap_ms: must be below the length of {params['seconds']} s."
        raise JobSpecError(msg)
    return audio_chunks(sources, params, _spans, params["overlap_ms"])


def _spans(audio: Audio, params: Mapping[str, Any]) -> Iterator[Span]:
    length = max(1, round(params["seconds"] * audio.rate))
    overlap = params["overlap_ms"] * audio.rate // 1000
    start = 0
    while start == 0 or start + overlap < audio.frames:
        yield Span(start, min(start + length, audio.frames))
        start += length - overlap
