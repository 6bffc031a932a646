"""Playlists of HTTP Live Streaming: RFC 8216, and what its second edition adds to the list of variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

FIRST_LINES = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
"""Of version 7, for fragmented MP4 with a beginning of its own; each segment begins with a keyframe."""
SOUNDS = "audio"
"""The group of the tracks of sound, of which a player takes one."""


@dataclass(frozen=True)
class Listed:
    """A segment in a playlist: its address from there, its length, and how many bytes it has."""

    uri: str
    seconds: Fraction
    bytes: int


@dataclass(frozen=True)
class MediaPlaylist:
    """A track's segments, in order; `uri` is its own address from the master's."""

    uri: str
    codec: str
    beginning_uri: str
    segments: Sequence[Listed]

    @property
    def target_s(self) -> int:
        """No segment is longer, by whole seconds."""
        return max(1, *(int(segment.seconds + Fraction(1, 2)) for segment in self.segments))

    def average_rate(self) -> Fraction:
        """In bits a second, of all."""
        return _rate(self.segments)

    def peak_rate(self) -> Fraction:
        """In bits a second: the most of segments behind each other that are half to one and a half targets long."""
        rates = [self.average_rate()]
        for first in range(len(self.segments)):
            seconds = bits = Fraction(0)
            for segment in self.segments[first:]:
                seconds, bits = seconds + segment.seconds, bits + segment.bytes * 8
                if seconds * 2 > self.target_s * 3:
                    break
                if seconds * 2 >= self.target_s:
                    rates.append(bits / seconds)
        return max(rates)

    def text(self, target_s: int) -> str:
        """The playlist; `target_s` is that of the longest in the package, for players switch between them."""
        lines = [f"#EXT-X-TARGETDURATION:{target_s}", "#EXT-X-PLAYLIST-TYPE:VOD"]
        lines.append(f'#EXT-X-MAP:URI="{self.beginning_uri}"')
        for segment in self.segments:
            lines += [f"#EXTINF:{float(segment.seconds):.6f},", segment.uri]
        return FIRST_LINES + "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


@dataclass(frozen=True)
class Variant:
    """A rendition's pictures, and how they are shown; `brightness` is SDR, HLG or PQ."""

    playlist: MediaPlaylist
    width: int
    height: int
    frame_rate: float
    brightness: str


@dataclass(frozen=True)
class SoundChoice:
    """A track of sound that a player may take: what it is called, and in what language where somebody says."""

    playlist: MediaPlaylist
    name: str
    language: str
    channels: int
    is_default: bool


def master_text(variants: Sequence[Variant], sounds: Sequence[SoundChoice]) -> str:
    """The list that a player opens; it begins with the first variant, and takes others as its line allows."""
    lines = [_media_line(sound) for sound in sounds]
    average = max((sound.playlist.average_rate() for sound in sounds), default=Fraction(0))
    peak = max((sound.playlist.peak_rate() for sound in sounds), default=Fraction(0))
    for variant in variants:
        own = variant.playlist
        codecs = ",".join(dict.fromkeys([own.codec, *(sound.playlist.codec for sound in sounds)]))
        told = [
            f"BANDWIDTH={_up(own.peak_rate() + peak)}",
            f"AVERAGE-BANDWIDTH={_up(own.average_rate() + average)}",
            f'CODECS="{codecs}"',
            f"RESOLUTION={variant.width}x{variant.height}",
            f"FRAME-RATE={variant.frame_rate:.3f}",
            f"VIDEO-RANGE={variant.brightness}",
            *([f'AUDIO="{SOUNDS}"'] if sounds else []),
        ]
        lines += [f"#EXT-X-STREAM-INF:{','.join(told)}", own.uri]
    return FIRST_LINES + "\n".join(lines) + "\n"


def _media_line(sound: SoundChoice) -> str:
    told = [
        "TYPE=AUDIO",
        f'GROUP-ID="{SOUNDS}"',
        f"NAME={_quoted(sound.name)}",
        *([f"LANGUAGE={_quoted(sound.language)}"] if sound.language else []),
        f"DEFAULT={'YES' if sound.is_default else 'NO'}",
        "AUTOSELECT=YES",
        f'CHANNELS="{sound.channels}"',
        f'URI="{sound.playlist.uri}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(told)}"


def _quoted(text: str) -> str:
    """No quote and no end of a line may be in it: RFC 8216, 4.2."""
    return '"' + " ".join(text.replace('"', "'").split()) + '"'


def _rate(segments: Sequence[Listed]) -> Fraction:
    return sum((segment.bytes for segment in segments), 0) * 8 / sum((each.seconds for each in segments), Fraction(0))


def _up(rate: Fraction) -> int:
    return -int(-rate // 1)
