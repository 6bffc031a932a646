"""Pieces of each video from one change of scene to the next, found by PySceneDetect."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from triptych.engines import Chunk, Source, need
from triptych.engines.video.packets import Frames, decoded_frames, open_video
from triptych.engines.video.scene_scores import detector
from triptych.engines.video.splitting import video_chunks

LOOK_PX = 256
"""The longer side of the pictures that are compared: PySceneDetect's own."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return video_chunks(sources, params, _cuts)


def _cuts(data: BinaryIO, frames: Frames, params: Mapping[str, Any]) -> list[int]:
    changes = _changes(data, frames, detector(params["detector"], params["min_frames"], params["threshold"]))
    count = len(frames.times)
    return sorted({0, *(cut for cut in changes if cut < count), count})


def _changes(data: BinaryIO, frames: Frames, sought: Any) -> Iterator[int]:
    """The first frame of each scene but the first."""
    place = need("scenedetect", "media").FrameTimecode
    scaler = need("av.video.reformatter", "media").VideoReformatter()
    # Any rate: detectors count frames.
    at = place(0, fps=25.0)
    with open_video(data) as container:
        for frame in decoded_frames(container):
            at = place(bisect_left(frames.times, frame.pts), fps=25.0)
            yield from (cut.frame_num for cut in sought.process_frame(at, _small(frame, scaler)))
    yield from (cut.frame_num for cut in sought.post_process(at))


def _small(frame: Any, scaler: Any) -> Any:
    """An array (height, width, BGR)."""
    shrink = max(1.0, max(frame.width, frame.height) / LOOK_PX)
    width, height = (max(1, round(side / shrink)) for side in (frame.width, frame.height))
    # Pictures are too small for more threads to be worth their start.
    return scaler.reformat(frame, width, height, "bgr24", interpolation="BILINEAR", threads=1).to_ndarray()
