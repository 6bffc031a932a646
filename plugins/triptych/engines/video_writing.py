"""New files of video: always the same bytes for the same frames, whatever the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.engines.resources import need
from triptych.engines.video import carried, container_format

BIT_EXACT = {"fflags": "+bitexact"}
"""For muxers: no random numbers and no time of day in the file."""
ENCODERS = {"webm": "libvpx-vp9"}
THREADS = 4
"""Of an encoder. Not as many as the machine has: x264 makes other bytes with each number."""


def add_copy(out: Any, stream: Any) -> Any:
    """A stream of `out` for packets of `stream`. Raises ValueError when there is none such in files of that kind."""
    # As it is, the library wants an encoder of the decoder's name.
    return out.add_stream_from_template(stream, opaque=True)


class VideoEncoder:
    """`taken` counts the frames that went in, `given` the packets that came out: one for each, in the end."""

    def __init__(self, out: Any, like: Any, form: str, crf: int) -> None:
        """A stream of `out` with the size, rate, pixels, colours and times of the stream `like`."""
        self._out = out
        self._plain = need("av", "media").video.frame.PictureType.NONE
        is_vpx = form in ENCODERS
        options = {"b:v": "0"} if is_vpx else {"preset": "ultrafast"}
        # A CRF of 0 is without loss in H.264 of 8 bits only.
        options |= {"crf": str(crf)} if crf else {"lossless": "1"} if is_vpx else {"qp": "0"}
        stream = out.add_stream(ENCODERS.get(form, "libx264"), rate=like.average_rate or 25, options=options)
        stream.width, stream.height, stream.pix_fmt = like.width, like.height, like.pix_fmt
        stream.time_base = stream.codec_context.time_base = like.time_base
        self.context = stream.codec_context
        self.context.thread_count, self.context.thread_type = THREADS, "FRAME"
        self.taken = self.given = 0
        self._stream = stream

    def add(self, frame: Any) -> None:
        """`frame.pts` is when it is shown, in the units of `like`."""
        frame.pict_type = self._plain
        self.taken += 1
        self._mux(frame)

    def end(self) -> None:
        self._mux(None)

    def _mux(self, frame: Any) -> None:
        made = self._stream.encode(frame)
        self.given += len(made)
        self._out.mux(made)


class PieceWriter:
    """One piece that is being written, with times from 0."""

    def __init__(self, path: Path, source: Any, start: int, crf: int | None) -> None:
        """`crf` is None for a piece that is copied."""
        self.path, self.start = path, start
        video, *audio = carried(source)
        form = container_format(path.name)
        self._out = need("av", "media").open(str(path), "w", format=form, options=BIT_EXACT)
        self.encoder = None if crf is None else VideoEncoder(self._out, video, form, crf)
        copied = [video, *audio] if crf is None else audio
        self._streams = {
            each.index: (add_copy(self._out, each), round(start * video.time_base / each.time_base)) for each in copied
        }

    def packet(self, packet: Any) -> None:
        packet.stream, shift = self._streams[packet.stream_index]
        packet.pts -= shift
        packet.dts -= shift
        self._out.mux_one(packet)

    def frame(self, frame: Any) -> None:
        frame.pts -= self.start
        self.encoder.add(frame)

    def close(self) -> None:
        if self.encoder:
            self.encoder.end()
        self._out.close()
