"""What to encode, as metadata, with the video: the whole source, of which nothing is copied, or a slice of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from triptych.engines import Chunk, Source
from triptych.engines.video.packets import carried, open_video
from triptych.engines.video.splitting import at_keyframes, cut_source, every_seconds, readable, source_frames

CRF = 16
"""Of slices that cannot be copied, which are to be encoded again: nothing that one sees is lost."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Slice by slice, in each the renditions in order of the ladder."""
    for source in sources:
        with readable(source) as data:
            renditions = _renditions(data, params)
            for number, (video, about) in enumerate(_slices(source, data, params["slice_seconds"])):
                for rendition in renditions:
                    yield _chunk(source, video, number, {**about, "rendition": rendition})


def _chunk(source: Source, video: Mapping[str, Any], number: int, about: Mapping[str, Any]) -> Chunk:
    path = PurePosixPath(source.name)
    name = f"{path.stem}_{about['rendition']['height']}p_{number:05d}{path.suffix}"
    metadata = {"source": source.name, "slice": number, **about}
    return Chunk(name=name, items=about.get("frames"), metadata=metadata, **video)


def _slices(
    source: Source, data: BinaryIO, seconds: float | None
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What holds the video of each chunk, and metadata. A slice begins at the first clean keyframe of its time."""
    frames = source_frames(source, data)
    if seconds is None:
        yield {"ranges": Chunk.of_sources([source]).ranges}, {"span": {"start_s": 0.0, "end_s": None}}
        return
    count = len(frames.times)
    cuts = sorted({0, *at_keyframes(frames, every_seconds(frames, seconds)), count})
    for path, about in cut_source(source, data, frames, cuts, CRF):
        yield {"path": path}, about


def _renditions(data: BinaryIO, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that are not higher than the source, or the lowest of all at its height.

    Even widths, as most encoders want them, in the source's proportions.
    """
    with open_video(data) as container:
        video = carried(container)[0]
        width, height = video.width, video.height
    ladder: list[dict[str, int]] = params["ladder"]
    fitting = [step for step in ladder if step["height"] <= height]
    fitting = fitting or [{**min(ladder, key=lambda step: step["height"]), "height": height}]
    return [
        {
            "width": max(2, round(width * step["height"] / height / 2) * 2),
            **step,
            "audio": params["audio"] == "each" or place == 0,
        }
        for place, step in enumerate(fitting)
    ]
