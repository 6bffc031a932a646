"""Films of pictures: each is shown equally long."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.video.reformatter import ColorRange, Colorspace

from triptych.engines.video.encoders import VP9, X264, Looks, encoder_options
from triptych.engines.video.encoding import THREADS, new_file
from triptych.engines.video.packets import container_format

if TYPE_CHECKING:
    import numpy.typing as npt
    from av.video.stream import VideoStream

BT709, LIMITED = 1, 1
"""FFmpeg's numbers of the colours' primaries, curve and matrix, and of their range."""


def write_stills(path: Path, pictures: Iterator[npt.NDArray[Any]], rate: Fraction, crf: int) -> None:
    """Arrays (height, width, 3) of red, green and blue, at least one, all of one size; `rate` is in frames a second."""
    first = next(pictures)
    height, width, _ = first.shape
    name = container_format(path.name)
    codec = VP9 if name == "webm" else X264
    with new_file(path, name) as out:
        stream: VideoStream = out.add_stream(codec, rate=rate, options=encoder_options(codec, Looks(), crf))  # type: ignore[assignment]  # by its codec
        _shape(stream, width, height, rate)
        for number, pixels in enumerate(chain([first], pictures)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format=stream.pix_fmt,
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts, frame.time_base, frame.duration = number, 1 / rate, 1
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _shape(stream: VideoStream, width: int, height: int, rate: Fraction) -> None:
    """Of a new stream: its size, pixels, colours and times."""
    context = stream.codec_context
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    stream.time_base = context.time_base = 1 / rate
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = LIMITED
    context.thread_count, context.thread_type = THREADS, "FRAME"
