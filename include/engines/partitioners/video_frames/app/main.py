"""Pieces of each video by frames or seconds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.video import Frames
from triptych.engines.video_cuts import video_chunks


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return video_chunks(sources, params, _cuts)


def _cuts(source: Source, frames: Frames, params: Mapping[str, Any]) -> list[int]:
    """The first frame of each piece, and the number of frames at the end."""
    count = len(frames.times)
    if params["frames"]:
        cuts = [*range(0, count, params["frames"])]
    else:
        step = params["seconds"] / frames.time_base
        starts = (frames.times[0] + step * n for n in range(int(frames.second(count - 1) // params["seconds"]) + 1))
        cuts = [bisect_left(frames.times, start) for start in starts]
    if params["cut"] == "keyframes":
        keys = sorted(frames.keys)
        places = (bisect_left(keys, frames.times[cut]) for cut in cuts)
        cuts = [bisect_left(frames.times, keys[place]) for place in places if place < len(keys)]
    return sorted({0, *cuts, count})
