"""What to encode, as metadata, with the video: the whole source, of which nothing is copied, or a segment of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.video.encoders import read_looks
from triptych.engines.video.packets import mapped_streams, open_video
from triptych.engines.video.rotation import film_size
from triptych.engines.video.segment import Rendition, VideoSegment
from triptych.engines.video.splitting import IndexedVideo, at_keyframes, cut_video, every_seconds, open_indexed

CRF = 16
"""Of segments that cannot be copied, which are to be encoded again: nothing that one sees is lost."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Segment by segment, in each the renditions in order of the ladder."""
    for source in sources:
        with open_indexed(source) as video:
            renditions = _renditions(video, params)
            for path, segment in _segments(video, params["segment_s"]):
                for rendition in renditions:
                    yield _chunk(source, path, replace(segment, rendition=rendition), rendition.height_px)


def _chunk(source: Source, path: Path | None, segment: VideoSegment, height_px: int) -> Chunk:
    own = PurePosixPath(source.name)
    name = f"{own.stem}_{height_px}p_{segment.segment:05d}{own.suffix}"
    ranges = Chunk.of_sources([source]).ranges if path is None else None
    return Chunk(name=name, path=path, ranges=ranges, items=segment.frames, metadata=segment.to_metadata())


def _segments(video: IndexedVideo, seconds: float | None) -> Iterator[tuple[Path | None, VideoSegment]]:
    """The file of each segment, or None for the whole source; one begins at the first clean keyframe of its time."""
    if seconds is None:
        yield None, VideoSegment(source_index=video.source.index, source=video.source.path)
        return
    cuts = sorted({0, *at_keyframes(video.index, every_seconds(video.index, seconds)), video.frames})
    yield from cut_video(video, cuts, CRF)


def _renditions(video: IndexedVideo, params: Mapping[str, Any]) -> list[Rendition]:
    """Those that are not higher than the source is shown, or the lowest of all at its height.

    Even widths, as most encoders want them, in the proportions in which the source is shown.
    """
    with open_video(video.data) as container:
        width, height = film_size(mapped_streams(container).video, read_looks(container))
    ladder: list[dict[str, int]] = params["ladder"]
    fitting = [step for step in ladder if step["height"] <= height]
    fitting = fitting or [{**min(ladder, key=lambda step: step["height"]), "height": height}]
    return [
        Rendition(
            width_px=max(2, round(width * step["height"] / height / 2) * 2),
            height_px=step["height"],
            bitrate_kbps=step["bitrate_kbps"],
            audio=params["audio"] == "each" or number == 0,
        )
        for number, step in enumerate(fitting)
    ]
