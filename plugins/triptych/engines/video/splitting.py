"""What the video partitioners share: the pieces of a source between given frames, as chunks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from triptych.engines.api import Chunk, Source
from triptych.engines.runtime.resources import need, resources
from triptych.engines.video.encoding import UnwritableError
from triptych.engines.video.packets import Frames, read_frames
from triptych.engines.video.segments import Piece, write_pieces
from triptych.engines.video.truncation import DamagedError, require_whole
from triptych.errors import EngineError, SourceError

Cuts = Callable[[BinaryIO, Frames, Mapping[str, Any]], list[int]]
"""The first frame of each piece, and the number of frames at the end."""


def video_chunks(sources: Sequence[Source], params: Mapping[str, Any], cuts: Cuts) -> Iterator[Chunk]:
    """A chunk for each piece, named for the time at which it begins."""
    for source in sources:
        with readable(source) as data:
            frames = source_frames(source, data)
            for path, about in cut_source(source, data, frames, cuts(data, frames, params), params["crf"]):
                name = f"{PurePosixPath(source.name).stem}_{about['span']['start_s']:010.3f}{path.suffix}"
                yield Chunk.of_file(path, name=name, items=about["frames"], metadata=about)


@contextmanager
def readable(source: Source) -> Iterator[BinaryIO]:
    """The open source; SourceError for what is no video, or not all of one."""
    if not source.size:
        msg = f"{source.uri}: is empty, and a video is not."
        raise SourceError(msg)
    try:
        with source.open() as data:
            require_whole(data, source.size)
            yield data
    except DamagedError as error:
        msg = f"{source.uri}: {error}. Fetch the file again, or leave it out."
        raise SourceError(msg) from error
    except (need("av", "media").FFmpegError, IndexError) as error:
        msg = f"{source.uri}: cannot be read as video: {error}. Correct the file or leave it out."
        raise SourceError(msg) from error


def source_frames(source: Source, data: BinaryIO) -> Frames:
    frames = read_frames(data)
    if not frames.times:
        msg = f"{source.uri}: holds no frame."
        raise SourceError(msg)
    return frames


def cut_source(
    source: Source, data: BinaryIO, frames: Frames, cuts: Sequence[int], crf: int
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The file of each piece, which is removed when the next is asked for, and its metadata."""
    form = resources().new_folder() / f"piece{PurePosixPath(source.name).suffix or '.mkv'}"
    try:
        for index, piece in enumerate(write_pieces(data, frames, cuts, form, crf)):
            if piece.frames != piece.end - piece.first:
                found = f"frames {piece.first} to {piece.end - 1} gave {piece.frames} frames"
                msg = f"{source.uri}: {found}. Convert the file first."
                raise EngineError(msg)
            yield piece.path, {"source": source.name, "index": index, **_about(frames, piece)}
            piece.path.unlink()
    except UnwritableError as error:
        msg = f"{source.uri}: {error}. Give it a name that ends in .mkv, or convert it first."
        raise EngineError(msg) from error


def _about(frames: Frames, piece: Piece) -> dict[str, Any]:
    last = piece.end if piece.end < len(frames.times) else piece.end - 1
    span = {"start_s": frames.second(piece.first), "end_s": frames.second(last)}
    return {"first_frame": piece.first, "frames": piece.frames, "span": span, "copied": piece.copied}


def every_seconds(frames: Frames, seconds: float) -> list[int]:
    """The first frame at or behind each multiple of so many seconds."""
    step = seconds / frames.time_base
    count = int(frames.second(len(frames.times) - 1) // seconds) + 1
    return [bisect_left(frames.times, frames.times[0] + step * n) for n in range(count)]


def at_keyframes(frames: Frames, cuts: Sequence[int]) -> list[int]:
    """The next frame at which a cut is clean, for each cut; none where none comes."""
    keys = sorted(frames.keys)
    places = (bisect_left(keys, frames.times[cut]) for cut in cuts)
    return [bisect_left(frames.times, keys[place]) for place in places if place < len(keys)]
