"""What the video assemblers share: pieces one after the other as one file, with their sound in step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from triptych.engines.api import Result
from triptych.engines.runtime.resources import need
from triptych.engines.video.muxing import CopiedFilm, EncodedFilm, Film, UnlikeError
from triptych.engines.video.packets import carried, count_frames, open_video
from triptych.engines.video.truncation import DamagedError, require_whole
from triptych.errors import EngineError


def by_film(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The pieces of each film, in order of chunk, by its name: the source's, and the rendition's if it is one."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        source = PurePosixPath(str(result.metadata.get("source", "video.mkv")))
        kind = result.metadata.get("rendition")
        label = f"_{kind['height']}p_{kind['bitrate_kbps']}k" if kind else ""
        groups.setdefault(f"{source.stem}{label}{source.suffix or '.mkv'}", []).append(result)
    return groups


def join_pieces(name: str, pieces: Sequence[Result], path: Path, crf: int, titles: Sequence[str] = ()) -> None:
    """Write `path`, with a chapter per piece where there are titles; EngineError when a frame is lost.

    Packets are copied where all pieces are of one kind, and the whole then has as many frames as the pieces.
    """
    try:
        film: Film = CopiedFilm(path)
        _write(film, pieces, titles)
        if count_frames(path) == film.frames:
            return
    except UnlikeError:
        pass
    film = EncodedFilm(path, crf)
    _write(film, pieces, titles)
    if (found := film.written()) != film.frames:
        msg = f"{name}: the pieces have {film.frames} frames, and the whole {found}. Let the app write one format."
        raise EngineError(msg)


def _write(film: Film, pieces: Sequence[Result], titles: Sequence[str]) -> None:
    with film.writing(titles):
        for piece in pieces:
            with _readable(piece) as source:
                film.add(source)


@contextmanager
def _readable(piece: Result) -> Iterator[Any]:
    try:
        with piece.open() as data:
            require_whole(data, piece.size)
            with open_video(data) as source:
                carried(source)
                yield source
    except DamagedError as error:
        msg = f"chunk {piece.chunk}, {piece.name!r}: {error}. Let the app write all of it."
        raise EngineError(msg) from error
    except (need("av", "media").FFmpegError, IndexError) as error:
        msg = f"chunk {piece.chunk}, {piece.name!r}: cannot be read as video: {error}."
        raise EngineError(msg) from error
