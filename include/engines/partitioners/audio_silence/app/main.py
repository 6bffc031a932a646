"""Spans from the middle of one silence to the middle of the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from triptych.engines import Chunk, Source
from triptych.engines.arrays.aliases import Floats, Offsets
from triptych.engines.audio.model import SeekableAudio
from triptych.engines.audio.opening import open_seekable
from triptych.engines.audio.span import AudioSpan
from triptych.engines.audio.splitting import audio_chunks
from triptych.engines.streams.prefetch import prefetch

WINDOW_S = 0.01


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        with open_seekable(source) as audio:
            yield from audio_chunks(source, audio, _spans(source, audio, params))


def _spans(source: Source, audio: SeekableAudio, params: Mapping[str, Any]) -> Iterator[AudioSpan]:
    longest = max(1, round(params["max_segment_s"] * audio.rate))
    start = 0
    for cut in [*_middles(audio, params), audio.frames]:
        while cut - start > longest:
            yield AudioSpan.between(source, audio, start, start + longest)
            start += longest
        if cut > start:
            yield AudioSpan.between(source, audio, start, cut)
            start = cut


def _middles(audio: SeekableAudio, params: Mapping[str, Any]) -> list[int]:
    """The middle frame of each silence that is long enough and has sound on both sides; a few bytes per silence."""
    size = max(1, round(WINDOW_S * audio.rate))
    limit = 10 ** (params["silence_threshold_dbfs"] / 10)
    edges = np.concatenate([np.zeros(0, np.int64), *_edges(audio, size, limit)]) * size
    began, ended = edges[: len(edges) // 2 * 2].reshape(-1, 2).T
    is_long = ended - began >= params["min_silence_ms"] * audio.rate / 1000
    middles: list[int] = ((began + ended) // 2)[(began > 0) & is_long].tolist()
    return middles


def _edges(audio: SeekableAudio, size: int, limit: float) -> Iterator[Offsets]:
    """The numbers of the windows with which a silence begins and of those with which sound begins again, in turn.

    Loud, silent, silent, loud are [1, 3]; a file that begins with silence begins with 0.
    """
    passed, before = 0, False
    for power in _powers(audio, size):
        is_silent = power < limit
        yield np.flatnonzero(np.diff(is_silent, prepend=before)) + passed
        passed, before = passed + len(is_silent), is_silent[-1]


def _powers(audio: SeekableAudio, size: int) -> Iterator[Floats]:
    """The mean square of each window of `size` frames, over all channels, in arrays; the last window may be shorter."""
    rest = np.zeros((0, audio.channels), np.float32)
    for block in prefetch(audio.blocks("float32")):
        rest = np.concatenate([rest, block])
        whole = len(rest) - len(rest) % size
        if whole:
            windows = rest[:whole].reshape(-1, size * audio.channels)
            yield np.einsum("ij,ij->i", windows, windows) / windows.shape[1]
        rest = rest[whole:]
    if len(rest):
        yield np.array([np.mean(rest**2)])
