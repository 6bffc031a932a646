"""New files of video: always the same bytes for the same frames, whatever the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.engines.runtime.resources import need
from triptych.engines.video.packets import carried, container_format, count_frames

ENCODERS = {"webm": "libvpx-vp9"}
LOOKS = ("sample_aspect_ratio", "color_range", "color_primaries", "color_trc", "colorspace")
"""How pixels are to be shown."""
THREADS = 4
"""Of an encoder. Not as many as the machine has: x264 makes other bytes with each number."""


def new_file(path: Path, form: str) -> Any:
    """A container to write. No random numbers and no time of day in it, and audio in MP4 to the sample in its place."""
    options = {"fflags": "+bitexact"}
    if form in ("mp4", "mov"):
        # Of edit lists, which say when a stream begins; FFmpeg's own 1000 is no more than the millisecond.
        options["movie_timescale"] = "192000"
    return need("av", "media").open(str(path), "w", format=form, options=options)


class UnwritableError(ValueError):
    """A codec that files of that kind do not have."""


def add_copy(out: Any, stream: Any) -> Any:
    """A stream of `out` for packets of `stream`."""
    try:
        # Opaque, or the library asks for an encoder of the decoder's name.
        return out.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        raise UnwritableError(error) from error


class VideoEncoder:
    """Counts the frames that go in and the packets that come out."""

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
        for name in LOOKS:
            if (look := getattr(like, name)) is not None:
                setattr(self.context, name, look)
        self.context.thread_count, self.context.thread_type = THREADS, "FRAME"
        self._taken = self._given = 0
        self._stream = stream

    def add(self, frame: Any) -> None:
        """`frame.pts` is when it is shown, in the units of `like`."""
        frame.pict_type = self._plain
        self._taken += 1
        self._mux(frame)

    def end(self) -> None:
        self._mux(None)

    def frames(self) -> int | None:
        """How many were written; None when the encoder made more or fewer packets, and the file has to tell."""
        return self._taken if self._taken == self._given else None

    def _mux(self, frame: Any) -> None:
        made = self._stream.encode(frame)
        self._given += len(made)
        self._out.mux(made)


class PieceWriter:
    """One piece that is being written, with times from 0: packets of the source's first video and audio."""

    is_copy = True

    def __init__(self, path: Path, source: Any, start: int) -> None:
        """`start` is when the first frame is shown, in the video's units."""
        self.path, self.start = path, start
        self.out = new_file(path, container_format(path.name))
        video = carried(source)[0]
        self._streams = {
            each.index: (add_copy(self.out, each), round(start * video.time_base / each.time_base))
            for each in self.copied(source)
        }

    def copied(self, source: Any) -> list[Any]:
        """The streams of which packets are taken."""
        return carried(source)

    def frame(self, frame: Any) -> None:
        """Only encoded pieces take frames: those of a copied one that a decoder gives belong to no other."""

    def packet(self, packet: Any) -> None:
        packet.stream, shift = self._streams[packet.stream_index]
        packet.pts -= shift
        packet.dts -= shift
        self.out.mux_one(packet)

    def close(self) -> None:
        self.out.close()

    def frames(self) -> int:
        """How many the closed piece has."""
        return count_frames(self.path)


class EncodedPiece(PieceWriter):
    """A piece of which only the audio is packets of the source."""

    is_copy = False

    def __init__(self, path: Path, source: Any, start: int, crf: int) -> None:
        self._crf = crf
        super().__init__(path, source, start)

    def copied(self, source: Any) -> list[Any]:
        video, *audio = carried(source)
        self._encoder = VideoEncoder(self.out, video, container_format(self.path.name), self._crf)
        return audio

    def frame(self, frame: Any) -> None:
        frame.pts -= self.start
        self._encoder.add(frame)

    def close(self) -> None:
        self._encoder.end()
        super().close()

    def frames(self) -> int:
        found = self._encoder.frames()
        return count_frames(self.path) if found is None else found
