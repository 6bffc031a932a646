"""Pieces from the middle of one silence to the middle of the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.audio.model import Audio
from triptych.engines.audio.splitting import Span, audio_chunks
from triptych.engines.streams.prefetch import prefetch

WINDOW_S = 0.01


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return audio_chunks(sources, params, _spans)


def _spans(audio: Audio, params: Mapping[str, Any]) -> Iterator[Span]:
    longest = max(1, round(params["max_seconds"] * audio.rate))
    start = 0
    for cut in [*_middles(audio, params), audio.frames]:
        while cut - start > longest:
            yield Span(start, start + longest)
            start += longest
        if cut > start:
            yield Span(start, cut)
            start = cut


def _middles(audio: Audio, params: Mapping[str, Any]) -> list[int]:
    """The middle frame of each silence that is long enough and has sound on both sides; a few bytes per silence."""
    import numpy as np

    size = max(1, round(WINDOW_S * audio.rate))
    edges = np.concatenate(list(_edges(audio, size, 10 ** (params["level_dbfs"] / 10))) or [np.zeros(0, int)]) * size
    began, ended = edges[: len(edges) // 2 * 2].reshape(-1, 2).T
    is_gap = (began > 0) & (ended - began >= params["gap_ms"] * audio.rate / 1000)
    middles: list[int] = ((began + ended) // 2)[is_gap].tolist()
    return middles


def _edges(audio: Audio, size: int, limit: float) -> Iterator[Any]:
    """The numbers of the windows with which a silence begins and of those with which sound begins again, in turn."""
    import numpy as np

    place, before = 0, False
    for power in _powers(audio, size):
        is_silent = power < limit
        yield np.flatnonzero(np.diff(is_silent, prepend=before)) + place
        place, before = place + len(is_silent), is_silent[-1]


def _powers(audio: Audio, size: int) -> Iterator[Any]:
    """The mean square of each window of `size` frames, over all channels, in arrays; the last window may be shorter."""
    import numpy as np

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
