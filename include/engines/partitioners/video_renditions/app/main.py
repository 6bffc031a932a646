"""What to encode, as metadata; each chunk's data is the whole source, of which nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source, need
from triptych.engines.video import read_frames
from triptych.engines.video_cuts import readable


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Slice by slice, in each the renditions in order of the ladder."""
    for source in sources:
        with readable(source) as data:
            with need("av", "media").open(data) as container:
                video = container.streams.video[0]
                width, height = video.width, video.height
            frames = read_frames(data)
        length = frames.second(len(frames.times) - 1)
        for number, span in enumerate(_spans(length, params["slice_seconds"])):
            for place, step in enumerate(_renditions(params["ladder"], width, height)):
                audio = params["audio"] == "each" or place == 0
                about = {"source": source.name, "rendition": {**step, "audio": audio}, "slice": number, "span": span}
                path = PurePosixPath(source.name)
                name = f"{path.stem}_{step['height']}p_{number:05d}{path.suffix}"
                yield Chunk.of_sources([source], name=name, metadata=about)


def _renditions(ladder: Sequence[Mapping[str, int]], width: int, height: int) -> list[dict[str, int]]:
    """Even widths, as most encoders want them, in the source's proportions."""
    fitting = [step for step in ladder if step["height"] <= height]
    fitting = fitting or [{**min(ladder, key=lambda step: step["height"]), "height": height}]
    return [{"width": max(2, round(width * step["height"] / height / 2) * 2), **step} for step in fitting]


def _spans(length: float, step: float | None) -> list[dict[str, float | None]]:
    """The last one ends with the video."""
    if step is None:
        return [{"start_s": 0.0, "end_s": None}]
    count = int(length // step) + 1
    return [{"start_s": n * step, "end_s": (n + 1) * step if n + 1 < count else None} for n in range(count)]
