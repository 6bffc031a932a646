"""What the audio partitioners tell an app and their assemblers of each chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from triptych.engines.api import Source
from triptych.engines.audio.model import Audio
from triptych.engines.contracts import Place


@dataclass(frozen=True, kw_only=True)
class AudioSpan(Place):
    """Frames `first_frame` to before `first_frame + frames` of a source's audio, at `sample_rate` frames a second.

    `overlap_frames` of them, its first, are also the last of the span before. The source has `source_frames` in all.
    `tags` are those of the source, as `title=Talk`. Chunks that are whole sources, as `passthrough` makes them, have
    none of these fields.
    """

    first_frame: int = 0
    frames: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    overlap_frames: int = 0
    start_s: float = 0.0
    end_s: float | None = None
    source_frames: int | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def between(cls, source: Source, audio: Audio, start: int, end: int, **more: Any) -> Self:
        """From frame `start` to before frame `end` of the source's open audio; `more` gives other fields by name."""
        return cls(
            source_index=source.index,
            source=source.path,
            first_frame=start,
            frames=end - start,
            sample_rate=audio.rate,
            channels=audio.channels,
            start_s=start / audio.rate,
            end_s=end / audio.rate,
            source_frames=audio.frames,
            **more,
        )

    def overlap_at(self, rate: int) -> int:
        """`overlap_frames` as a number of frames at another rate, in frames a second."""
        return round(self.overlap_frames * rate / self.sample_rate) if self.sample_rate else 0
