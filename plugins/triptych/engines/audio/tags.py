"""What an audio file says of itself: title, artist and their like, which go from a source to what is joined of it."""

from __future__ import annotations

from collections.abc import Sequence

import av

from triptych.engines.api import Source
from triptych.engines.audio.span import AudioSpan
from triptych.engines.contracts import Part, SourceParts
from triptych.harmless import harmless_logger

FIELDS = {
    "title": "title",
    "artist": "artist",
    "album": "album",
    "genre": "genre",
    "date": "date",
    "comment": "comment",
    "copyright": "copyright",
    "track": "tracknumber",
    "tracknumber": "tracknumber",
}
"""libsndfile's names of tags, by FFmpeg's."""
LONGEST = 1000
"""Letters of a tag that each chunk is told; others are left out."""
_log = harmless_logger(__name__)


def read_tags(source: Source) -> tuple[str, ...]:
    """`title=Talk`, in order of name, by FFmpeg; empty where it cannot read the file, which who decodes it says.

    What no chunk can have is told in the log.
    """
    try:
        with source.open() as data, av.open(data, "r", metadata_errors="replace") as container:
            streams = container.streams
            found = dict(streams.audio[0].metadata) if streams.audio else {}
            found |= container.metadata
            others = [(len(container.chapters()), "chapters"), (len(streams.video), "pictures")]
            others.append((len(streams.audio) - 1, "more tracks"))
    except (av.FFmpegError, ValueError, IndexError):
        return ()
    if left := ", ".join(f"{count} {name}" for count, name in others if count > 0):
        _log.warning("%s: %s of it are in no chunk.", source.label, left)
    named = {FIELDS[key.lower()]: value for key, value in found.items() if key.lower() in FIELDS and value}
    long = [name for name, value in named.items() if len(value) > LONGEST]
    if long:
        _log.warning("%s: its tags %s are too long to be kept.", source.label, ", ".join(long))
    return tuple(f"{name}={value}" for name, value in sorted(named.items()) if name not in long)


def recording_tags(parts: Sequence[Part[AudioSpan]]) -> tuple[str, ...]:
    """Those of the source, as its first part tells them."""
    return parts[0].place.tags if parts and parts[0].place else ()


def tell_lost_tags(group: SourceParts[AudioSpan]) -> None:
    """In the log, for a WAV, which is written without any."""
    if tags := recording_tags(group.parts):
        names = ", ".join(tag.partition("=")[0] for tag in tags)
        _log.warning("%s: its tags (%s) are not in a WAV; format flac keeps them.", group.source, names)
