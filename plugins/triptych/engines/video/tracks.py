"""The pictures of a video that is joined of parts: packets as they are, or frames encoded anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import av
import numpy as np

from triptych.engines.video.encoders import Looks, UnwritableError, film_encoding
from triptych.engines.video.encoding import VideoEncoder, add_copy, pixel_shape
from triptych.engines.video.packets import decode_packet, time_base
from triptych.engines.video.rotation import Turn, film_size, turned

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


class UnlikeError(ValueError):
    """Packets of a part that cannot follow those of the part before."""


class UnlikePicturesError(UnlikeError):
    """It is its pictures that have to be encoded."""


class UnlikeSoundError(UnlikeError):
    """It is its sound that has to be encoded."""


@dataclass(frozen=True)
class Spot:
    """Where a part lies in the whole: from `begin` to before `end`, in seconds; `end` is None behind the last.

    Its own times are later by `shift` there.
    """

    shift: Fraction
    begin: Fraction
    end: Fraction | None


class Pictures(Protocol):
    """Writes the pictures of parts in order; `frames` counts those that went in."""

    frames: int

    def begin(self, video: VideoStream, spot: Spot, looks: Looks) -> None:
        """The next part; raises UnlikeError where it cannot follow."""

    def put(self, packet: Packet[Any]) -> None:
        """The next packet of that part."""

    def end_part(self) -> None:
        """Behind the last packet of that part."""

    def fill(self, begin: Fraction, end: Fraction, frames: int) -> None:
        """So many black frames instead of a part."""

    def end(self) -> int | None:
        """Behind the last part; how many frames were written, None where the file has to tell."""


class CopiedPictures:
    """Of parts that all have the same kind of video."""

    def __init__(self, out: OutputContainer, video: VideoStream) -> None:
        self._out = out
        try:
            self._stream = add_copy(out, video)
        except UnwritableError as error:
            raise UnlikePicturesError from error
        self._unit = time_base(video)
        self._last: int | None = None
        self.frames = 0

    def begin(self, video: VideoStream, spot: Spot, looks: Looks) -> None:
        """The next part; that its kind is the same is known."""
        self._own, self._shift, self._is_first = time_base(video), spot.shift, True

    def put(self, packet: Packet[Any]) -> None:
        """The packet, later by where the part lies; times of showing are never changed otherwise."""
        if self._is_first and not packet.is_keyframe:
            # It would be decoded from what the part before ends with.
            raise UnlikePicturesError
        self._is_first = False
        self.frames += not packet.is_discard
        pts, dts = (round(((each or 0) * self._own + self._shift) / self._unit) for each in (packet.pts, packet.dts))
        if self._last is not None:
            dts = max(dts, self._last + 1)
        if dts > pts:
            raise UnlikePicturesError
        duration = round((packet.duration or 0) * self._own / self._unit)
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        packet.time_base, packet.stream = self._unit, self._stream
        self._last = dts
        try:
            self._out.mux_one(packet)
        except (av.FFmpegError, ValueError) as error:
            raise UnlikePicturesError from error

    def end_part(self) -> None:
        """Nothing is held back between parts."""

    def fill(self, begin: Fraction, end: Fraction, frames: int) -> None:
        """Black frames have to be encoded."""
        raise UnlikePicturesError

    def end(self) -> int | None:
        """Nothing is held back; whether all that was put in is shown, the file tells."""
        return None


class EncodedPictures:
    """Of parts of several kinds: the first has the size, the rate and the looks."""

    def __init__(
        self, out: OutputContainer, video: VideoStream, looks: Sequence[Looks], format_name: str, crf: int
    ) -> None:
        """`looks` are those of all parts: where they are not turned alike, frames are turned."""
        self._turns = len({each.matrix for each in looks}) > 1
        own, size = looks[0], (video.width, video.height)
        if self._turns:
            own, size = (
                Looks(fields=own.fields, mastering=own.mastering, light=own.light, lost=own.lost),
                film_size(video, own),
            )
        self.encoding = film_encoding(video, own, format_name, crf)
        self._encoder = VideoEncoder(out, video, self.encoding, own, size)
        self.shape = None if self._turns else pixel_shape(video)
        if self._turns:
            self._encoder.context.sample_aspect_ratio = Fraction(1)
        self.frames = 0

    def begin(self, video: VideoStream, spot: Spot, looks: Looks) -> None:
        """The next part, whose frames are resized where they are not as large."""
        video.thread_type = "AUTO"
        self._video, self._own, self._shift = video, time_base(video), spot.shift
        self._turn: Turn = turned(looks) if self._turns else turned(Looks())

    def put(self, packet: Packet[Any]) -> None:
        """Decode it, and encode what comes out."""
        self.frames += not packet.is_discard
        self._add(decode_packet(packet))

    def end_part(self) -> None:
        """What the decoder still holds back."""
        self._add(self._video.decode(None))

    def fill(self, begin: Fraction, end: Fraction, frames: int) -> None:
        """Black in the size of the whole, at equal distances."""
        context = self._encoder.context
        black = av.VideoFrame.from_ndarray(np.zeros((context.height, context.width, 3), np.uint8), "rgb24")
        for number in range(frames):
            frame = black.reformat(context.width, context.height, context.pix_fmt)
            self._put(frame, begin + (end - begin) * number / frames)
        self.frames += frames

    def end(self) -> int | None:
        """What the encoder still holds back."""
        self._encoder.end()
        return self._encoder.frames()

    def _add(self, frames: Sequence[av.VideoFrame]) -> None:
        for frame in frames:
            seconds = (frame.pts or 0) * self._own + self._shift
            self._put(self._turn(frame), seconds)

    def _put(self, frame: av.VideoFrame, seconds: Fraction) -> None:
        unit = self._encoder.context.time_base
        frame.time_base = unit
        frame.pts = round(seconds / unit)
        self._encoder.add(frame)
