"""Films of one source in several renditions, and where all are cut: at keyframes that all of them have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from triptych.engines.video.encoders import read_looks
from triptych.engines.video.frame_index import FrameIndex, read_frame_index
from triptych.engines.video.packets import mapped_streams, open_video, packets, time_base
from triptych.engines.video.rotation import film_size
from triptych.errors import EngineError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

PER_SECOND = 1000
"""Keyframes are at one time that are in the same millisecond, which is as fine as Matroska counts."""
LONGEST_S = 60
"""A player has to load a segment whole before it shows it."""
RANGES = {16: "PQ", 18: "HLG"}
"""Of brightness, by the transfer characteristics of ITU-T H.273; others are SDR."""


@dataclass(frozen=True)
class SoundTrack:
    """One of a film: its number among all streams, its language and title where it has any, and how many channels."""

    index: int
    language: str
    title: str
    channels: int


@dataclass(frozen=True)
class Film:
    """One rendition: a file, the number of its video among all streams, its size as it is shown, and its frames.

    `keys` are the times in seconds of its clean keyframes by millisecond, `end` that of its last frame's end; of all
    tracks, nothing is decoded before `first`, which is below zero where frames are shown in another order, or a decoder
    of sound warms up.
    """

    path: Path
    pictures: int
    width: int
    height: int
    frames: int
    brightness: str
    keys: dict[int, Fraction]
    first: Fraction
    end: Fraction
    sounds: tuple[SoundTrack, ...]

    @property
    def frame_rate(self) -> float:
        """The average; frames of some films are not equally long."""
        return float(self.frames / (self.end - min(self.keys.values())))


def read_film(path: Path) -> Film:
    """Of a joined film, in which there is a frame."""
    with path.open("rb") as data:
        index = read_frame_index(data)
        return _film(path, data, index)


def _film(path: Path, data: BinaryIO, index: FrameIndex) -> Film:
    keys, first = {round(time * PER_SECOND): time for time in _key_times(index)}, _first_time(data)
    with open_video(data) as container:
        streams = mapped_streams(container)
        width, height = film_size(streams.video, read_looks(container))
        return Film(
            path=path,
            pictures=streams.video.index,
            width=width,
            height=height,
            frames=len(index.times),
            brightness=RANGES.get(int(streams.video.codec_context.color_trc or 0), "SDR"),
            keys=keys,
            first=first,
            end=(index.times[-1] + index.last_duration) * index.time_base,
            sounds=tuple(map(_sound_track, streams.sounds)),
        )


def _key_times(index: FrameIndex) -> Iterator[Fraction]:
    at = index.times[0]
    while (key := index.clean_keys.first_from(at)) is not None:
        yield key * index.time_base
        at = key + 1


def _first_time(data: BinaryIO) -> Fraction:
    """Of decoding; FFmpeg's own `start_time` leaves out with what a decoder warms up."""
    found: dict[int, Fraction] = {}
    with open_video(data) as container:
        streams = mapped_streams(container).all
        for packet in packets(container, streams):
            found.setdefault(packet.stream_index, (packet.dts or 0) * time_base(packet.stream))
            if len(found) == len(streams):
                break
    return min(found.values())


def _sound_track(stream: AudioStream) -> SoundTrack:
    language = stream.metadata.get("language", "und")
    return SoundTrack(
        index=stream.index,
        language="" if language == "und" else language,
        title=stream.metadata.get("title", ""),
        channels=stream.codec_context.layout.nb_channels,
    )


def segment_starts(source: str, films: Sequence[Film], segment_s: float) -> list[int]:
    """Milliseconds at which segments of all films begin: by keyframes that all have, as near to `segment_s` as can be.

    Keyframes at 0, 2.5, 5, 7.5, 10 and 12.5 s of 14 s, and 6 s wanted: [0, 5000, 10000]. Raises EngineError with the
    source where films do not begin together, or two that follow each other are too far apart.
    """
    common = sorted(set.intersection(*(set(film.keys) for film in films)))
    if not common or any(min(film.keys) != common[0] for film in films):
        msg = f"{source}: its renditions do not begin with a keyframe at one time. Let the app keep each frame's time."
        raise EngineError(msg)
    end = round(min(film.end for film in films) * PER_SECOND)
    starts = common[:1]
    for key, after in pairwise([*common[1:], end]):
        wanted = starts[-1] + segment_s * PER_SECOND
        if abs(key - wanted) <= abs(after - wanted):
            starts.append(key)
    for start, after in pairwise([*starts, end]):
        if after - start > LONGEST_S * PER_SECOND:
            between = f"between {start / PER_SECOND:.3f} and {after / PER_SECOND:.3f} s no keyframe that all have"
            msg = f"{source}: its renditions have {between}. Let the app encode one every few seconds, at equal times."
            raise EngineError(msg)
    return starts
