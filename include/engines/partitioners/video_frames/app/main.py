"""Segments of each video by frames or seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.video.splitting import IndexedVideo, at_keyframes, every_seconds, open_indexed, video_chunks


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        with open_indexed(source) as video:
            yield from video_chunks(video, _cuts(video, params), params["crf"])


def _cuts(video: IndexedVideo, params: Mapping[str, Any]) -> list[int]:
    """The first frame of each segment, and the number of frames at the end."""
    step = params["items_per_chunk"]
    cuts = [*range(0, video.frames, step)] if step else every_seconds(video.index, params["segment_s"])
    if params["cut"] == "keyframes":
        cuts = at_keyframes(video.index, cuts)
    return sorted({0, *cuts, video.frames})
