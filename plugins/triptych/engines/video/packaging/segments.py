"""A track of a film in segments: its packets as they are, each with its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from triptych.engines.api import Input
from triptych.engines.runtime.resources import resources
from triptych.engines.video.encoders import UnwritableError
from triptych.engines.video.packaging.codec_names import codec_name
from triptych.engines.video.packaging.fragments import Beginning, Sample, beginning_of, fragment
from triptych.engines.video.packets import mapped_streams, open_video, packets, time_base

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

HELD_SHARE = 1 / 8
"""Of the memory, for the packets of one segment: those of the next are read, and bytes are made of them."""
LONGEST_PAUSE = Fraction(1, 2)
"""Seconds without a packet of sound that players pass over; with more they leave out what is seen meanwhile."""
PLAYED = "H.264, H.265 or AV1, and AAC, AC-3, MP3, Opus or FLAC"


@dataclass(frozen=True)
class Track:
    """One of a joined film: its number among all streams, what a player reads first, and how playlists call its codec.

    `owner` is the result that errors name.
    """

    film: Path
    index: int
    beginning: Beginning
    codec: str
    owner: Input


@dataclass(frozen=True)
class MediaSegment:
    """Bytes of a file, and for how long they are shown or heard."""

    data: bytes
    seconds: Fraction


class _Timed(NamedTuple):
    """A packet, in seconds."""

    pts: Fraction
    dts: Fraction
    duration: Fraction
    is_key: bool
    data: bytes


def read_track(film: Path, index: int, owner: Input) -> Track:
    """Raises the owner's error for a codec that players of HLS do not know."""
    with film.open("rb") as data, open_video(data) as container:
        stream = _stream(container, index)
        held = stream.codec_context.name
        try:
            beginning = beginning_of(container, stream)
        except UnwritableError:
            codec = None
        else:
            codec = codec_name(beginning.data)
    if codec is None:
        text = f"holds {held}, which players of HLS do not know. Let the app write {PLAYED}."
        raise owner.error(text)
    return Track(film, index, beginning, codec, owner)


def segments(track: Track, starts: Sequence[Fraction], shift: Fraction) -> Iterator[MediaSegment]:
    """Those that begin at `starts`, in seconds; fewer where the track ends before, or has nothing between two.

    All times become later by `shift`, so that none is below zero, and players take a package's first time as its start.
    An edit list, or negative delays, would say the same, but some pass over the one, and FFmpeg 5.1 over the other.
    """
    with track.film.open("rb") as data, open_video(data) as container:
        for number, (group, after) in enumerate(_with_next(_groups(track, container, starts))):
            last = group[-1]
            decoded_until = after.dts if after else last.dts + last.duration
            shown_until = after.pts if after else max(packet.pts + packet.duration for packet in group)
            samples = _samples(group, decoded_until, shift, track.beginning.ticks)
            yield MediaSegment(fragment(number, list(samples)), shown_until - group[0].pts)


def _samples(group: Sequence[_Timed], until: Fraction, shift: Fraction, ticks: int) -> Iterator[Sample]:
    """Each is decoded until the next is, and the last `until` what comes behind them."""
    decoded = [round((packet.dts + shift) * ticks) for packet in group]
    ends = [*decoded[1:], round((until + shift) * ticks)]
    for packet, dts, end in zip(group, decoded, ends, strict=True):
        shown = round((packet.pts + shift) * ticks)
        yield Sample(dts, end - dts, shown - dts, packet.is_key, packet.data)


def _with_next(groups: Iterator[list[_Timed]]) -> Iterator[tuple[list[_Timed], _Timed | None]]:
    """Each with the first packet of the one behind it."""
    held = next(groups, None)
    for group in groups:
        if held:
            yield held, group[0]
        held = group
    if held:
        yield held, None


def _groups(track: Track, container: InputContainer, starts: Sequence[Fraction]) -> Iterator[list[_Timed]]:
    """The packets of each segment, in order of decoding."""
    share = resources().share(HELD_SHARE, "a segment of it")
    group: list[_Timed] = []
    number = held_bytes = 0
    stream = _stream(container, track.index)
    until = starts[0]
    for packet in _timed(container, stream):
        if stream.type == "audio" and packet.pts - until > LONGEST_PAUSE:
            text = (
                f"its sound has a hole from {float(until):.3f} to {float(packet.pts):.3f} s, over which players of HLS "
                "leave out the pictures, too. Let the app fill it with silence."
            )
            raise track.owner.error(text)
        until = packet.pts + packet.duration
        reached = number
        while packet.is_key and reached + 1 < len(starts) and packet.pts >= starts[reached + 1]:
            reached += 1
        if reached > number and group:
            yield group
            group, held_bytes = [], 0
        number = reached
        group.append(packet)
        held_bytes += len(packet.data)
        share.check(held_bytes, track.owner, "Let the app encode keyframes more often.")
    if group:
        yield group


def _timed(container: InputContainer, stream: VideoStream | AudioStream) -> Iterator[_Timed]:
    unit, is_sound = time_base(stream), stream.type == "audio"
    for packet in packets(container, [stream]):
        pts, dts, duration = ((each or 0) * unit for each in (packet.pts, packet.dts, packet.duration))
        yield _Timed(pts, dts, duration, is_sound or packet.is_keyframe, bytes(packet))


def _stream(container: InputContainer, index: int) -> VideoStream | AudioStream:
    return next(each for each in mapped_streams(container).all if each.index == index)
