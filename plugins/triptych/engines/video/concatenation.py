"""What the video assemblers share: parts one after the other as one file, with their sound in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from triptych.engines.api import Result
from triptych.engines.contracts import OnMissing, Part, by_source, output_names
from triptych.engines.video.chapters import Chapter
from triptych.engines.video.encoders import UnwritableError
from triptych.engines.video.muxing import Copies, Muxer, PartHead, read_head
from triptych.engines.video.opening import readable_video
from triptych.engines.video.packets import open_video, written_extension
from triptych.engines.video.placing import Piece, placed
from triptych.engines.video.segment import Rendition, VideoSegment
from triptych.engines.video.tracks import UnlikePicturesError, UnlikeSoundError
from triptych.errors import EngineError
from triptych.harmless import harmless_logger

UNPLACED = "video.mkv"
"""The output's name when nobody tells of which source the results are."""
SQUASHED = 0.03
"""How much proportions may differ: encoders want even sizes."""
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class OutputVideo:
    """One file to be made: its name, and its parts by number of segment, in order.

    `source` is what it is a rendition of, and `label` tells it from others of it: `720p_2800k`, or nothing.
    """

    name: str
    parts: dict[int, Part[VideoSegment]]
    source: str
    label: str

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
    extensions = [written_extension(source) for source in sources]
    names = output_names(sources, extensions, [f"_{label}{suffix}" if label else suffix for _, label, _ in videos])
    return [OutputVideo(name, parts, source, label) for name, (source, label, parts) in zip(names, videos, strict=True)]


def _label(rendition: Rendition | None) -> str:
    return f"{rendition.height_px}p_{rendition.bitrate_kbps}k" if rendition else ""


def join_parts(video: OutputVideo, path: Path, crf: int, titles: Sequence[str] = (), on_missing: str = "fail") -> None:
    """Write `path`, with a chapter per part where there are titles; EngineError with the name when a frame is lost.

    Packets are copied where all parts are of one kind and follow each other; else pictures, or sound, or both are
    encoded anew.
    """
    parts = list(video.parts.values())
    heads = [_head(part) for part in parts]
    _require_one_shape(parts, heads)
    pieces = placed(video.name, parts, heads, fills=on_missing == "black")
    chapters = [Chapter(p.spot.begin, p.ends(), title) for p, title in zip(pieces, titles, strict=False)]
    copies = Copies(
        pictures=len({head.kind for head in heads}) == 1,
        sound=len({head.sounds for head in heads}) == 1,
    )
    while True:
        muxer = Muxer(path, heads, copies, crf)
        try:
            _write(muxer, pieces, chapters)
        except UnlikePicturesError:
            copies = replace(copies, pictures=False)
            continue
        except UnlikeSoundError:
            copies = replace(copies, sound=False)
            continue
        except UnwritableError as error:
            text = f"{error}. Let the app write another format."
            raise parts[0].result.error(text) from error
        if muxer.written() == muxer.frames:
            break
        if not copies.pictures:
            lost = f"the parts have {muxer.frames} frames, and the whole {muxer.written()}"
            msg = f"{video.name}: {lost}. Let the app write one format."
            raise EngineError(msg)
        copies = replace(copies, pictures=False)
    _tell(video.name, copies, has_sound=any(head.sounds for head in heads))
    _tell_silence(video.name, parts, heads)


def _head(part: Part[VideoSegment]) -> PartHead:
    with readable_video(part.result) as data:
        return read_head(data)


def _require_one_shape(parts: Sequence[Part[VideoSegment]], heads: Sequence[PartHead]) -> None:
    """Raises a result's error where it is shown in other proportions than the first, which it would be squashed to."""
    width, height = heads[0].shown
    for part, head in zip(parts, heads, strict=True):
        if abs(head.shown[0] * height - head.shown[1] * width) > SQUASHED * width * head.shown[1]:
            own = f"{head.shown[0]} x {head.shown[1]}"
            text = f"is shown {own}, and the first part {width} x {height}. Let the app treat all parts alike."
            raise part.result.error(text)


def _write(muxer: Muxer, pieces: Sequence[Piece], chapters: Sequence[Chapter]) -> None:
    with muxer.writing(chapters):
        for piece in pieces:
            if piece.part is None or piece.head is None:
                muxer.fill(piece.spot.begin, piece.ends(), piece.frames)
                continue
            with readable_video(piece.part.result) as data, open_video(data) as source:
                muxer.add(source, piece.spot, piece.head.looks)


def _tell(name: str, copies: Copies, *, has_sound: bool) -> None:
    """In the log: what was encoded anew."""
    if not copies.pictures:
        _log.info("%s: its pictures are encoded anew, for the parts are not of one kind.", name)
    if not copies.sound and has_sound:
        _log.info("%s: its sound is encoded anew, to join the parts to the sample.", name)


def _tell_silence(name: str, parts: Sequence[Part[VideoSegment]], heads: Sequence[PartHead]) -> None:
    """In the log: parts that lack sound which others have."""
    most = max(len(head.sounds) for head in heads)
    silent = [part.result.label for part, head in zip(parts, heads, strict=True) if len(head.sounds) < most]
    if silent:
        text = "%s: %d of %d parts have fewer sound tracks than others, %s the first; the whole is silent there."
        _log.warning(text, name, len(silent), len(parts), silent[0])
