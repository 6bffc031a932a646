"""Pieces from the middle of one silence to the middle of the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.audio import BLOCK_FRAMES
from triptych.engines.audio_cuts import Span, audio_chunks

WINDOW_S = 0.01


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return audio_chunks(sources, params, _spans)


def _spans(audio: Any, params: Mapping[str, Any]) -> Iterator[Span]:
    longest = max(1, round(params["max_seconds"] * audio.samplerate))
    start = 0
    cuts = list(_middles(audio, params))  # A few bytes per gap; writing a piece moves the place in the file.
    for cut in [*cuts, audio.frames]:
        while cut - start > longest:
            yield Span(start, start + longest)
            start += longest
        if cut > start:
            yield Span(start, cut)
            start = cut


def _middles(audio: Any, params: Mapping[str, Any]) -> Iterator[int]:
    """The middle frame of each silence that is long enough and has sound on both sides."""
    began, heard = None, False
    for place, silent in _windows(audio, params["level_dbfs"]):
        if silent:
            began = place if began is None else began
            continue
        if began is not None and heard and place - began >= params["gap_ms"] * audio.samplerate / 1000:
            yield (began + place) // 2
        began, heard = None, True


def _windows(audio: Any, level_dbfs: float) -> Iterator[tuple[int, bool]]:
    """The first frame of each window, and whether the window is silent."""
    import numpy as np

    size = max(1, round(WINDOW_S * audio.samplerate))
    limit = 10 ** (level_dbfs / 10)
    audio.seek(0)
    place = 0
    while len(block := audio.read(size * max(1, BLOCK_FRAMES // size), "float64", always_2d=True)):
        energy = (block**2).mean(axis=1)
        for at in range(0, len(block), size):
            yield place + at, bool(np.mean(energy[at : at + size]) < limit)
        place += len(block)
