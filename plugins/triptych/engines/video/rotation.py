"""How a video is turned when it is shown, and frames that are turned so."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.filter

from triptych.engines.video.encoders import Looks

if TYPE_CHECKING:
    from av.video.stream import VideoStream

FALLBACK_UNIT = Fraction(1, 1000)
"""Of times that nobody reads: what is turned gets its own time back."""
Turn = Callable[[av.VideoFrame], av.VideoFrame]


def film_size(video: VideoStream, looks: Looks) -> tuple[int, int]:
    """Width and height in square pixels, upright: 320 x 240 that is turned by 90 degrees is (240, 320)."""
    ratio = video.sample_aspect_ratio or Fraction(1)
    width, height = max(1, round(video.width * ratio)), video.height
    return (height, width) if is_sideways(looks) else (width, height)


def is_sideways(looks: Looks) -> bool:
    """Whether rows are shown as columns: then the matrix has its larger numbers off the diagonal."""
    return bool(looks.matrix) and abs(looks.matrix[1]) > abs(looks.matrix[0])


def turned(looks: Looks) -> Turn:
    """A function that turns frames as they are to be shown, keeping their times."""
    steps = _steps(looks)
    if not steps:
        return lambda frame: frame
    graph: av.filter.Graph | None = None

    def turn(frame: av.VideoFrame) -> av.VideoFrame:
        nonlocal graph
        graph = graph or _graph(frame, steps)
        pts, unit = frame.pts, frame.time_base or FALLBACK_UNIT
        frame.time_base = unit
        graph.push(frame)
        made = graph.pull()
        if not isinstance(made, av.VideoFrame):  # A graph of pictures gives pictures.
            raise TypeError(made)
        made.pts, made.time_base = pts, unit
        return made

    return turn


def _graph(frame: av.VideoFrame, steps: list[tuple[str, str]]) -> av.filter.Graph:
    graph = av.filter.Graph()
    unit = frame.time_base or FALLBACK_UNIT
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=unit)]
    nodes += [graph.add(name, args) for name, args in [*steps, ("buffersink", "")]]
    graph.link_nodes(*nodes).configure()
    return graph


def _steps(looks: Looks) -> list[tuple[str, str]]:
    """FFmpeg's filters and their options, as its command turns frames by itself (fftools, ffmpeg_filter.c)."""
    if not looks.matrix:
        return []
    matrix = looks.matrix
    if is_sideways(looks):
        if matrix[1] > 0:  # By 90 degrees with the clock.
            return [("transpose", "cclock_flip" if matrix[3] > 0 else "clock")]
        return [("transpose", "clock_flip" if matrix[3] < 0 else "cclock")]
    sides = [("hflip", "")] if matrix[0] < 0 else []
    return sides + ([("vflip", "")] if matrix[4] < 0 else [])
