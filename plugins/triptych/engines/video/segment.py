"""What the video partitioners tell an app and their assemblers of each chunk."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Place


@dataclass(frozen=True)
class Rendition:
    """What an app is to encode: size in pixels, bitrate in kbit/s, and whether it is to carry the audio."""

    width_px: int
    height_px: int
    bitrate_kbps: int
    audio: bool


@dataclass(frozen=True, kw_only=True)
class VideoSegment(Place):
    """Frames `first_frame` to before `first_frame + frames` of a source, which is its segment number `segment`, from 0.

    Times are those of its first frame and of the next segment's, or of the source's end, in seconds from the source's
    first frame; the end is None where nobody looked, as in a whole source. Of all of the source, `source_frames` and
    `source_s` tell how many frames and seconds from the first frame it has, and `lead_s` how long it sounds before
    that. `copied` says that its packets are the source's own, not encoded anew. A source's segments are there once for
    each rendition, where there are any.
    """

    segment: int = 0
    first_frame: int = 0
    frames: int | None = None
    start_s: float = 0.0
    end_s: float | None = None
    copied: bool = True
    source_frames: int | None = None
    source_s: float | None = None
    lead_s: float = 0.0
    rendition: Rendition | None = None
