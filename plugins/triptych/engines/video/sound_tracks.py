"""One track of sound of a video that is joined of parts: packets as they are, or samples encoded anew."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import av
import numpy as np
import numpy.typing as npt

from triptych.engines.video.encoders import UnwritableError
from triptych.engines.video.encoding import add_copy, copy_tags
from triptych.engines.video.packets import decode_packet, time_base
from triptych.engines.video.tracks import Spot, UnlikeSoundError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

SOUND_ENCODERS = {
    "aac": "aac",
    "mp3": "libmp3lame",
    "opus": "libopus",
    "ac3": "ac3",
    "eac3": "eac3",
    "flac": "flac",
    "alac": "alac",
    "pcm_s16le": "pcm_s16le",
    "pcm_s24le": "pcm_s24le",
}
"""By the codec of the parts."""
OTHERWISE = {"webm": "libopus"}
"""By the file's format, where the codec is none of these; else AAC."""
BIT_RATE = 192_000
OPUS_RATE = 48_000
ROUNDING_S = Fraction(3, 1000)
"""How far packets may overlap that follow each other: Matroska counts milliseconds."""
HOLE_S = Fraction(1, 20)
"""From here a packet that comes too late is no rounding: what is between was silent."""
Samples = npt.NDArray[np.float32]
"""(channels, samples)."""


class Sound(Protocol):
    """Writes one track of the sound of parts in order."""

    def begin(self, stream: AudioStream | None, spot: Spot) -> None:
        """The next part, which may have no such track; raises UnlikeError where it cannot follow."""

    def put(self, packet: Packet[Any]) -> None:
        """The next packet of that part."""

    def end_part(self) -> None:
        """Behind the last packet of that part."""

    def fill(self, end: Fraction) -> None:
        """Silence up to there, instead of a part."""

    def end(self) -> None:
        """Behind the last part."""


class CopiedSound:
    """Of parts whose packets follow each other, as those of a source that was cut do."""

    def __init__(self, out: OutputContainer, stream: AudioStream) -> None:
        self._out = out
        try:
            self._stream = add_copy(out, stream)
        except UnwritableError as error:
            raise UnlikeSoundError from error
        self._unit = time_base(stream)
        self._last: int | None = None
        self._end: Fraction | None = None

    def begin(self, stream: AudioStream | None, spot: Spot) -> None:
        """A part without this track would leave a hole."""
        if stream is None:
            raise UnlikeSoundError
        self._own, self._shift = time_base(stream), spot.shift

    def put(self, packet: Packet[Any]) -> None:
        """The packet, later by where the part lies.

        UnlikeError where it overlaps what is there: an encoder begins each part with what a decoder warms up with, and
        fills its last packet up.
        """
        begin = (packet.pts or 0) * self._own + self._shift
        if self._end is not None and begin < self._end - ROUNDING_S:
            raise UnlikeSoundError
        self._end = begin + (packet.duration or 0) * self._own
        at = round(begin / self._unit)
        if self._last is not None:
            at = max(at, self._last + 1)
        duration = round((packet.duration or 0) * self._own / self._unit)
        packet.pts = packet.dts = self._last = at
        packet.duration, packet.time_base, packet.stream = duration, self._unit, self._stream
        try:
            self._out.mux_one(packet)
        except (av.FFmpegError, ValueError) as error:
            raise UnlikeSoundError from error

    def end_part(self) -> None:
        """Nothing is held back between parts."""

    def fill(self, end: Fraction) -> None:
        """Silence has to be encoded."""
        raise UnlikeSoundError

    def end(self) -> None:
        """Nothing is held back for the end."""


@dataclass(frozen=True)
class SoundHead:
    """What a track of a part is; parts of which these are equal may be copied one behind the other."""

    codec: str
    rate: int
    layout: str
    extradata: bytes | None

    @classmethod
    def of(cls, stream: AudioStream) -> SoundHead:
        """Nothing is decoded for it."""
        context = stream.codec_context
        return cls(context.codec.canonical_name, stream.rate, stream.layout.name, context.extradata)


class EncodedSound:
    """Of any parts: each is decoded, cut to its place to the sample, and what is missing is silent."""

    def __init__(self, out: OutputContainer, head: SoundHead, like: AudioStream | None, format_name: str) -> None:
        """`like` has the tags and the bit rate; None where the first part has no such track."""
        codec = SOUND_ENCODERS.get(head.codec, "")
        if format_name in OTHERWISE or codec not in out.supported_codecs | {"libmp3lame", "libopus"}:
            codec = OTHERWISE.get(format_name, "aac")
        self.codec = codec
        self.rate = OPUS_RATE if codec == "libopus" else head.rate
        self._out, self._layout = out, head.layout
        self._stream: AudioStream = out.add_stream(codec, rate=self.rate, layout=head.layout)  # type: ignore[assignment]  # by its codec
        if not codec.startswith(("pcm", "flac", "alac")):
            self._stream.bit_rate = (like.bit_rate if like else 0) or BIT_RATE
        if like:
            copy_tags(self._stream, like)
        self._written = 0
        """Samples."""

    def begin(self, stream: AudioStream | None, spot: Spot) -> None:
        """Its samples from the spot's begin to its end are taken."""
        self._source, self._spot = stream, spot
        self._at: int | None = None
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self.rate)

    def put(self, packet: Packet[Any]) -> None:
        """Decode it, and take what comes out."""
        self._add(decode_packet(packet))

    def end_part(self) -> None:
        """What decoder and resampler still hold back; up to the part's end nothing is heard."""
        if self._source is not None:
            self._add(self._source.decode(None))
            for made in self._resampler.resample(None):
                self._take(made.to_ndarray().astype(np.float32, copy=False))
        if self._spot.end is not None:
            self._silence(round(self._spot.end * self.rate))

    def fill(self, end: Fraction) -> None:
        """Silence up to there, instead of a part."""
        self._silence(round(end * self.rate))

    def end(self) -> None:
        """What the encoder still holds back."""
        self._out.mux(self._stream.encode(None))

    def _add(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                heard = round((frame.pts * frame.time_base + self._spot.shift) * self.rate)
                if self._at is None or heard - self._at > HOLE_S * self.rate:
                    self._at = heard
            frame.pts = None  # The resampler would fill holes by itself.
            for made in self._resampler.resample(frame):
                self._take(made.to_ndarray().astype(np.float32, copy=False))

    def _take(self, samples: Samples) -> None:
        """What lies in the part's place, and behind what is there: of samples 3 to 8 and 5 written, 5 to 8."""
        first = self._at or 0
        self._at = last = first + samples.shape[1]
        begin = max(self._written, round(self._spot.begin * self.rate))
        end = last if self._spot.end is None else min(last, round(self._spot.end * self.rate))
        if first < begin:
            samples, first = samples[:, begin - first :], begin
        if end > first:
            self._silence(first)
            self._write(samples[:, : end - first])

    def _silence(self, until: int) -> None:
        """Up to that sample, from what is written."""
        channels = av.AudioLayout(self._layout).nb_channels
        while self._written < until:
            self._write(np.zeros((channels, min(until - self._written, self.rate)), np.float32))

    def _write(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self.rate, Fraction(1, self.rate), self._written
        self._written += samples.shape[1]
        self._out.mux(self._stream.encode(frame))
