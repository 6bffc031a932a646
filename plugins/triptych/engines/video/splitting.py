"""What the video partitioners share: the segments of a source between given frames, as chunks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from triptych.engines.api import Chunk, Source
from triptych.engines.runtime.resources import resources
from triptych.engines.video.encoders import UnwritableError
from triptych.engines.video.frame_index import FrameIndex, read_frame_index
from triptych.engines.video.opening import readable_video
from triptych.engines.video.packets import left_out, open_video, written_extension
from triptych.engines.video.segment import VideoSegment
from triptych.engines.video.segments import Segment, write_segments
from triptych.harmless import harmless_logger

_log = harmless_logger(__name__)


@dataclass(frozen=True)
class IndexedVideo:
    """A source that is open as `data`, and which frames it has: one at least."""

    source: Source
    data: BinaryIO
    index: FrameIndex

    @property
    def frames(self) -> int:
        """How many it has."""
        return len(self.index.times)


@contextmanager
def open_indexed(source: Source) -> Iterator[IndexedVideo]:
    """The source as long as it is cut; its error for what is no video, not all of one, or has no frame."""
    with readable_video(source) as data:
        index = read_frame_index(data)
        if not index.times:
            text = "holds no frame with a time, as a stream without a container does. Put it into one, or leave it out."
            raise source.error(text)
        _tell_what_is_left_out(source, data)
        yield IndexedVideo(source, data, index)


def _tell_what_is_left_out(source: Source, data: BinaryIO) -> None:
    """In the log: what no segment has, and a name that segments cannot have."""
    with open_video(data) as container:
        if others := left_out(container):
            _log.warning("%s: %s are not in its segments, which have one video and all audio.", source.label, others)
    if (extension := written_extension(source.name)) != PurePosixPath(source.name).suffix:
        _log.info("%s: its segments are Matroska, and their names end in %s.", source.label, extension)


def video_chunks(video: IndexedVideo, cuts: Sequence[int], crf: int) -> Iterator[Chunk]:
    """A chunk for each segment, named for the time at which it begins; `cuts` as in `cut_video`."""
    stem = PurePosixPath(video.source.name).stem
    for path, segment in cut_video(video, cuts, crf):
        name = f"{stem}_{segment.start_s:010.3f}{path.suffix}"
        yield Chunk.of_file(path, name=name, items=segment.frames, metadata=segment.to_metadata())


def cut_video(video: IndexedVideo, cuts: Sequence[int], crf: int) -> Iterator[tuple[Path, VideoSegment]]:
    """The file of each segment, which is removed when the next is asked for, and where it lies.

    `cuts` are the first frame of each segment, from 0, and the number of frames at the end. Raises the source's error
    when a segment cannot be written, or has not the frames that it should.
    """
    source = video.source
    template = resources().new_folder() / f"segment{written_extension(source.name)}"
    try:
        for number, segment in enumerate(write_segments(video.data, video.index, cuts, template, crf)):
            if segment.frames != segment.end - segment.first:
                wanted = f"frames {segment.first} to {segment.end - 1}"
                text = f"{wanted} gave {segment.frames} frames. Convert the file first."
                raise source.error(text)
            yield segment.path, _place(video, number, segment)
            segment.path.unlink()
    except UnwritableError as error:
        text = f"{error}. {error.remedy}."
        raise source.error(text) from error


def _place(video: IndexedVideo, number: int, segment: Segment) -> VideoSegment:
    return VideoSegment(
        source_index=video.source.index,
        source=video.source.path,
        segment=number,
        first_frame=segment.first,
        frames=segment.frames,
        start_s=video.index.second(segment.first),
        end_s=video.index.second(segment.end),
        copied=segment.copied,
        source_frames=video.frames,
        source_s=video.index.second(video.frames),
        lead_s=float(video.index.lead),
    )


def every_seconds(index: FrameIndex, seconds: float) -> list[int]:
    """The first frame at or behind each multiple of so many seconds: of 25 frames a second, every 2 s, [0, 50, 100]."""
    step = seconds / index.time_base
    count = int(index.second(len(index.times) - 1) // seconds) + 1
    return [bisect_left(index.times, index.times[0] + step * n) for n in range(count)]


def at_keyframes(index: FrameIndex, cuts: Sequence[int]) -> list[int]:
    """The next frame at which a cut is clean, for each cut; none where none comes."""
    keys = (index.clean_keys.first_from(index.times[cut]) for cut in cuts)
    return [bisect_left(index.times, key) for key in keys if key is not None]
