"""Pieces of each video; each frame is in exactly one, which is counted after each cut."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from triptych.engines import Chunk, Source, need, resources
from triptych.engines.video import Frames, container_format, count_frames, read_frames, write_piece
from triptych.errors import EngineError, SourceError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        if not source.size:
            msg = f"{source.uri}: is empty, and a video is not."
            raise SourceError(msg)
        try:
            with source.open() as data:
                yield from _pieces(source, data, params)
        except (need("av", "media").FFmpegError, IndexError) as error:
            msg = f"{source.uri}: cannot be read as video: {error}. Correct the file or leave it out."
            raise SourceError(msg) from error


def _pieces(source: Source, data: BinaryIO, params: Mapping[str, Any]) -> Iterator[Chunk]:
    frames = read_frames(data)
    if not frames.times:
        msg = f"{source.uri}: holds no frame."
        raise SourceError(msg)
    form = container_format(source.name)
    path = resources().new_folder() / f"piece{PurePosixPath(source.name).suffix or '.mkv'}"
    for index, (first, end) in enumerate(pairwise(_cuts(frames, params))):
        copied = write_piece(data, frames, first, end, path, form, params["crf"])
        if not copied and (found := count_frames(path)) != end - first:
            msg = f"{source.uri}: frames {first} to {end - 1} gave {found} frames. Convert the file first."
            raise EngineError(msg)
        last = frames.second(end) if end < len(frames.times) else frames.second(end - 1)
        span = {"start_s": frames.second(first), "end_s": last}
        about = {"source": source.name, "index": index, "first_frame": first, "frames": end - first, "span": span}
        name = f"{PurePosixPath(source.name).stem}_{first:08d}{path.suffix}"
        yield Chunk.of_file(path, name=name, items=end - first, metadata={**about, "copied": copied})
        path.unlink()


def _cuts(frames: Frames, params: Mapping[str, Any]) -> list[int]:
    """The first frame of each piece, and the number of frames at the end."""
    count = len(frames.times)
    if params["frames"]:
        cuts = [*range(0, count, params["frames"])]
    else:
        step = params["seconds"] / frames.time_base
        starts = (frames.times[0] + step * n for n in range(int(frames.second(count - 1) // params["seconds"]) + 1))
        cuts = [bisect_left(frames.times, start) for start in starts]
    if params["cut"] == "keyframes":
        keys = sorted(frames.keys)
        places = (bisect_left(keys, frames.times[cut]) for cut in cuts)
        cuts = [bisect_left(frames.times, keys[place]) for place in places if place < len(keys)]
    return sorted({0, *cuts, count})
