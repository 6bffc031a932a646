"""New files of video: always the same bytes for the same frames, whatever the machine."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import av
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from triptych.engines.video.containers.matroska import write_pixel_shape
from triptych.engines.video.encoders import Encoding, Looks, UnwritableError
from triptych.engines.video.frame_index import count_frames
from triptych.engines.video.packets import MP4_KIN, container_format, mapped_streams, time_base

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

DISPLAY_KEYS = ("sample_aspect_ratio", "color_range", "color_primaries", "color_trc", "colorspace", "field_order")
"""How pixels are to be shown."""
KEPT_TAGS = ("language", "title", "handler_name", "alpha_mode", "stereo_mode")
"""Of a stream; others tell of the file that it was in, as its duration."""
NOT_KEPT = {"major_brand", "minor_version", "compatible_brands", "encoder", "software", "duration"}
"""Tags of a file that tell how it is written."""
MATROSKA_KIN = ("matroska", "webm")
THREADS = 4
"""Of an encoder. Not as many as the machine has: x264 makes other bytes with each number."""
S = TypeVar("S", bound="VideoStream | AudioStream")


def new_file(path: Path, format_name: str) -> OutputContainer:
    """A container to write. No random numbers and no time of day in it, and audio in MP4 to the sample in its place."""
    options = {"fflags": "+bitexact"}
    if format_name in MP4_KIN:
        # Of edit lists, which say when a stream begins; FFmpeg's own 1000 is no more than the millisecond.
        options["movie_timescale"] = "192000"
    return av.open(str(path), "w", format=format_name, options=options)


def add_copy(out: OutputContainer, stream: S) -> S:
    """A stream of `out` for packets of `stream`; UnwritableError when its format has no such streams."""
    try:
        # Opaque, or the library asks for an encoder of the decoder's name.
        copy = out.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        msg = f"holds {stream.codec_context.name}, which files of the format {out.format.name} cannot hold"
        remedy = "Name it .mkv, or convert it first" if out.format.name != "matroska" else "Convert it first"
        raise UnwritableError(msg, remedy) from error
    if isinstance(stream, av.VideoStream) and (shape := pixel_shape(stream)) is not None:
        # What a file says of its pixels is no part of what a template gives.
        copy.codec_context.sample_aspect_ratio = shape  # type: ignore[union-attr]  # of pictures
    copy_tags(copy, stream)
    return copy


def pixel_shape(video: VideoStream) -> Fraction | None:
    """How much wider than high its pixels are shown; None where they are square, or nobody says."""
    ratio = video.sample_aspect_ratio
    return ratio if ratio and ratio != 1 else None


def keep_pixel_shape(path: Path, shape: Fraction | None) -> None:
    """Write the shape into a closed file that has not got it: FFmpeg gives Matroska none but that of the codec."""
    if shape is None or container_format(path.name) not in MATROSKA_KIN:
        return
    with av.open(str(path)) as written:
        is_kept = pixel_shape(written.streams.video[0]) == shape
    if not is_kept:
        write_pixel_shape(path, shape)


def copy_tags(copy: VideoStream | AudioStream, stream: VideoStream | AudioStream) -> None:
    """Language, title, and whether it is the one to be played."""
    copy.metadata.update({key: value for key, value in stream.metadata.items() if key.lower() in KEPT_TAGS})
    copy.disposition = stream.disposition


def file_tags(source: InputContainer) -> dict[str, str]:
    """Title, artist and what else a file says of itself, but for how it is written."""
    return {key: value for key, value in source.metadata.items() if key.lower() not in NOT_KEPT}


class VideoEncoder:
    """Counts the frames that go in and the packets that come out."""

    def __init__(
        self,
        out: OutputContainer,
        template: VideoStream,
        encoding: Encoding,
        looks: Looks,
        size: tuple[int, int] | None = None,
    ) -> None:
        """A stream of `out` with the size (unless another is given), rate, colours and times of `template`."""
        self._out = out
        options = dict(encoding.options)
        stream: VideoStream = out.add_stream(encoding.codec, rate=template.average_rate or 25, options=options)  # type: ignore[assignment]  # by its codec
        stream.width, stream.height = size or (template.width, template.height)
        stream.pix_fmt = encoding.pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base(template)
        self.context: VideoCodecContext = stream.codec_context
        for name in DISPLAY_KEYS:
            if (value := getattr(template, name)) is not None:
                setattr(self.context, name, value)
        self.context.thread_count, self.context.thread_type = THREADS, "FRAME"
        copy_tags(stream, template)
        if looks.matrix:
            stream.set_display_matrix(looks.matrix)
        self._scaler = VideoReformatter()
        self._frames_in = self._packets_out = 0
        self._stream = stream

    def add(self, frame: av.VideoFrame) -> None:
        """The next frame; its `pts` is when it is shown, in the units of the template."""
        context = self.context
        if (frame.width, frame.height, frame.format.name) != (context.width, context.height, context.pix_fmt):
            pts = frame.pts
            frame = self._scaler.reformat(frame, context.width, context.height, context.pix_fmt)
            frame.pts, frame.time_base = pts, context.time_base
        frame.pict_type = PictureType.NONE
        self._frames_in += 1
        self._mux(frame)

    def end(self) -> None:
        """Write what the encoder still holds back; nothing can be added behind that."""
        self._mux(None)

    def frames(self) -> int | None:
        """How many were written; None when the encoder made more or fewer packets, and the file has to tell."""
        return self._frames_in if self._frames_in == self._packets_out else None

    def _mux(self, frame: av.VideoFrame | None) -> None:
        made = self._stream.encode(frame)
        self._packets_out += len(made)
        self._out.mux(made)


class CopiedSegment:
    """A segment that is being written, with times from 0: packets of the source's first video and audio."""

    is_copy = True

    def __init__(self, path: Path, source: InputContainer, start: int) -> None:
        """`start` is the source's time, in the video's units, that is 0 in the segment."""
        self.path, self.start = path, start
        self.out = new_file(path, container_format(path.name))
        self.out.metadata.update(file_tags(source))
        start_s = start * time_base(mapped_streams(source).video)
        self._shape = pixel_shape(mapped_streams(source).video)
        self._streams = {
            each.index: (add_copy(self.out, each), round(start_s / time_base(each))) for each in self.copied(source)
        }

    def copied(self, source: InputContainer) -> list[VideoStream | AudioStream]:
        """The streams of which packets are taken."""
        return mapped_streams(source).all

    def frame(self, frame: av.VideoFrame) -> None:
        """Only encoded segments take frames: those of a copied one that a decoder gives belong to no other."""

    def packet(self, packet: Packet[Any]) -> None:
        """The next packet of a copied stream, with the source's times, which are changed."""
        packet.stream, shift = self._streams[packet.stream_index]
        packet.pts = (packet.pts or 0) - shift
        packet.dts = (packet.dts or 0) - shift
        self.out.mux_one(packet)

    def close(self) -> None:
        """End the file; only then it is whole."""
        self.out.close()
        keep_pixel_shape(self.path, self._shape)

    def frames(self) -> int:
        """How many the closed segment has, by its file."""
        return count_frames(self.path)


class EncodedSegment(CopiedSegment):
    """A segment of which only the audio is packets of the source."""

    is_copy = False

    def __init__(self, path: Path, source: InputContainer, start: int, encoding: Encoding, looks: Looks) -> None:
        """The frames are encoded as they say."""
        self._encoding, self._looks = encoding, looks
        super().__init__(path, source, start)

    def copied(self, source: InputContainer) -> list[VideoStream | AudioStream]:
        """The audio; the video becomes a stream of its own, before that."""
        streams = mapped_streams(source)
        self._encoder = VideoEncoder(self.out, streams.video, self._encoding, self._looks)
        return list(streams.sounds)

    def frame(self, frame: av.VideoFrame) -> None:
        """The next frame in order of showing, with the source's time, which is changed."""
        frame.pts = (frame.pts or 0) - self.start
        self._encoder.add(frame)

    def close(self) -> None:
        """End the encoder's stream and the file."""
        self._encoder.end()
        super().close()

    def frames(self) -> int:
        """How many the closed segment has, by the encoder where that is sure, else by the file."""
        written = self._encoder.frames()
        return super().frames() if written is None else written
