"""Pieces of each video from one change of scene to the next, found by PySceneDetect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source, need
from triptych.engines.video import Frames
from triptych.engines.video_cuts import video_chunks

DETECTORS = {"content": "ContentDetector", "adaptive": "AdaptiveDetector", "threshold": "ThresholdDetector"}
THRESHOLDS = {"content": "threshold", "adaptive": "adaptive_threshold", "threshold": "threshold"}


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    return video_chunks(sources, params, _cuts)


def _cuts(source: Source, frames: Frames, params: Mapping[str, Any]) -> list[int]:
    library, detectors = need("scenedetect", "media"), need("scenedetect.detectors", "media")
    kind = params["detector"]
    given = {} if params["threshold"] is None else {THRESHOLDS[kind]: params["threshold"]}
    detector = getattr(detectors, DETECTORS[kind])(min_scene_len=params["min_frames"], **given)
    # The library opens paths only.
    video = library.open_video(str(source.local_path()), backend="pyav")
    scenes = library.SceneManager()
    scenes.add_detector(detector)
    scenes.detect_scenes(video)
    count = len(frames.times)
    starts = {start.frame_num for start, _ in scenes.get_scene_list()}
    return sorted({0, *(start for start in starts if start < count), count})
