"""Video from one change of scene to the next, found by PySceneDetect."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from av.video.reformatter import VideoReformatter
from scenedetect import FrameTimecode

from triptych.engines import Chunk, Source
from triptych.engines.video.packets import decoded_frames, open_video
from triptych.engines.video.scene_scores import Picture, detector
from triptych.engines.video.splitting import IndexedVideo, open_indexed, video_chunks

if TYPE_CHECKING:
    from av import VideoFrame
    from scenedetect.detector import SceneDetector

LOOK_PX = 256
"""The longer side of the pictures that are compared: PySceneDetect's own."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        with open_indexed(source) as video:
            sought = detector(params["detector"], params["min_scene_len"], params["threshold"])
            changes = (cut for cut in _changes(video, sought) if cut < video.frames)
            yield from video_chunks(video, sorted({0, *changes, video.frames}), params["crf"])


def _changes(video: IndexedVideo, sought: SceneDetector) -> Iterator[int]:
    """The first frame of each scene but the first."""
    scaler, times = VideoReformatter(), video.index.times
    # Any rate: detectors count frames.
    timecode = FrameTimecode(0, fps=25.0)
    with open_video(video.data) as container:
        for frame in decoded_frames(container):
            timecode = FrameTimecode(bisect_left(times, frame.pts or 0), fps=25.0)
            yield from (cut.frame_num for cut in sought.process_frame(timecode, _small(frame, scaler)))
    yield from (cut.frame_num for cut in sought.post_process(timecode))


def _small(frame: VideoFrame, scaler: VideoReformatter) -> Picture:
    shrink = max(1.0, max(frame.width, frame.height) / LOOK_PX)
    width, height = (max(1, round(side / shrink)) for side in (frame.width, frame.height))
    # Pictures are too small for more threads to be worth their start.
    small = scaler.reformat(frame, width, height, "bgr24", interpolation="BILINEAR", threads=1)
    picture: Picture = small.to_ndarray()  # type: ignore[assignment]  # of bytes, in this format
    return picture
