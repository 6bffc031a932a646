"""What the video assemblers share: parts one after the other as one file, with their sound in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from triptych.engines.api import Result
from triptych.engines.contracts import OnMissing, Part, by_source, output_names
from triptych.engines.video.frame_index import count_frames
from triptych.engines.video.muxing import CopyingMuxer, EncodingMuxer, Muxer, UnlikeError
from triptych.engines.video.opening import readable_video
from triptych.engines.video.packets import mapped_streams, open_video
from triptych.engines.video.segment import Rendition, VideoSegment
from triptych.errors import EngineError

UNPLACED = "video.mkv"
"""The output's name when nobody tells of which source the results are."""


@dataclass(frozen=True)
class OutputVideo:
    """One file to be made: its name, and its parts by number of segment, in order."""

    name: str
    parts: dict[int, Part[VideoSegment]]

    @property
    def extension(self) -> str:
        """With its dot; it decides the container format."""
        return PurePosixPath(self.name).suffix


def outputs_of(results: Sequence[Result], suffix: str, on_missing: OnMissing = "fail") -> list[OutputVideo]:
    """A video for each source and, where it has them, rendition: `a/clip.mp4` -> `a/clip_720p_2800k<suffix>.mp4`.

    Raises a result's error for a part that is missing (unless `on_missing` is "skip") or doubled.
    """
    videos: list[tuple[str, str, dict[int, Part[VideoSegment]]]] = []
    for group in by_source(results, VideoSegment, unplaced=UNPLACED, on_missing=on_missing):
        renditions: dict[str, dict[int, Part[VideoSegment]]] = {}
        for part in group.parts:
            label = _label(part.place.rendition if part.place else None)
            number = part.place.segment if part.place else part.number
            renditions.setdefault(label, {})[number] = part
        videos += [(group.source, label, parts) for label, parts in renditions.items()]
    sources = [source for source, _, _ in videos]
    extensions = [PurePosixPath(source).suffix or ".mkv" for source in sources]
    names = output_names(sources, extensions, [label + suffix for _, label, _ in videos])
    return [OutputVideo(name, parts) for name, (_, _, parts) in zip(names, videos, strict=True)]


def _label(rendition: Rendition | None) -> str:
    return f"_{rendition.height_px}p_{rendition.bitrate_kbps}k" if rendition else ""


def join_parts(
    name: str, parts: Sequence[Part[VideoSegment]], path: Path, crf: int, titles: Sequence[str] = ()
) -> None:
    """Write `path`, with a chapter per part where there are titles; EngineError with `name` when a frame is lost.

    Packets are copied where all parts are of one kind, and the whole then has as many frames as the parts.
    """
    copying = CopyingMuxer(path)
    try:
        _write(copying, parts, titles)
        if count_frames(path) == copying.frames:
            return
    except UnlikeError:
        pass
    encoding = EncodingMuxer(path, crf)
    _write(encoding, parts, titles)
    if (written := encoding.written()) != encoding.frames:
        lost = f"the parts have {encoding.frames} frames, and the whole {written}"
        msg = f"{name}: {lost}. Let the app write one format."
        raise EngineError(msg)


def _write(muxer: Muxer, parts: Sequence[Part[VideoSegment]], titles: Sequence[str]) -> None:
    with muxer.writing(titles):
        for part in parts:
            with readable_video(part.result) as data, open_video(data) as source:
                mapped_streams(source)
                muxer.add(source)
