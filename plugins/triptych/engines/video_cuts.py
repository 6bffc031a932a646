"""What the video partitioners share: the pieces of a source between given frames, as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from triptych.engines.api import Chunk, Source
from triptych.engines.resources import need, resources
from triptych.engines.video import Frames, container_format, count_frames, read_frames, write_piece
from triptych.errors import EngineError, SourceError

Cuts = Callable[[Source, Frames, Mapping[str, Any]], list[int]]
"""The first frame of each piece, and the number of frames at the end."""


def video_chunks(sources: Sequence[Source], params: Mapping[str, Any], cuts: Cuts) -> Iterator[Chunk]:
    for source in sources:
        with readable(source) as data:
            yield from _pieces(source, data, params, cuts)


@contextmanager
def readable(source: Source) -> Iterator[BinaryIO]:
    """The open source; SourceError for what is no video."""
    if not source.size:
        msg = f"{source.uri}: is empty, and a video is not."
        raise SourceError(msg)
    try:
        with source.open() as data:
            yield data
    except (need("av", "media").FFmpegError, IndexError) as error:
        msg = f"{source.uri}: cannot be read as video: {error}. Correct the file or leave it out."
        raise SourceError(msg) from error


def _pieces(source: Source, data: BinaryIO, params: Mapping[str, Any], cuts: Cuts) -> Iterator[Chunk]:
    """Each frame is in exactly one piece, which is counted after each cut."""
    frames = read_frames(data)
    if not frames.times:
        msg = f"{source.uri}: holds no frame."
        raise SourceError(msg)
    form = container_format(source.name)
    path = resources().new_folder() / f"piece{PurePosixPath(source.name).suffix or '.mkv'}"
    for index, (first, end) in enumerate(pairwise(cuts(source, frames, params))):
        copied = write_piece(data, frames, first, end, path, form, params["crf"])
        if not copied and (found := count_frames(path)) != end - first:
            msg = f"{source.uri}: frames {first} to {end - 1} gave {found} frames. Convert the file first."
            raise EngineError(msg)
        last = frames.second(end) if end < len(frames.times) else frames.second(end - 1)
        span = {"start_s": frames.second(first), "end_s": last}
        about = {"source": source.name, "index": index, "first_frame": first, "frames": end - first, "span": span}
        name = f"{PurePosixPath(source.name).stem}_{frames.second(first):010.3f}{path.suffix}"
        yield Chunk.of_file(path, name=name, items=end - first, metadata={**about, "copied": copied})
        path.unlink()
