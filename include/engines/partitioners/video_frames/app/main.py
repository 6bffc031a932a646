"""Pieces of each video by frames or seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from triptych.engines import Chunk, Source
from triptych.engines.video.packets import Frames
from triptych.engines.video.splitting import at_keyframes, every_seconds, video_chunks


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return video_chunks(sources, params, _cuts)


def _cuts(_: BinaryIO, frames: Frames, params: Mapping[str, Any]) -> list[int]:
    """The first frame of each piece, and the number of frames at the end."""
    count = len(frames.times)
    cuts = [*range(0, count, params["frames"])] if params["frames"] else every_seconds(frames, params["seconds"])
    if params["cut"] == "keyframes":
        cuts = at_keyframes(frames, cuts)
    return sorted({0, *cuts, count})
