"""Images in tars, names kept; nothing is decoded unless it may have to be made smaller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.archives.members import read_tar, safe_name, tar_of
from triptych.engines.archives.zips import entry_blocks, open_zip
from triptych.engines.images.opening import read_image, shown_size
from triptych.engines.images.shrinking import shrunk
from triptych.engines.images.vips import EXTENSIONS, image_errors, limit_cache
from triptych.engines.streams.unpacking import Expansion

TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")
UNLIMITED_PX = 10_000_000
IMAGE_SHARE = 1 / 4
"""Of the engine's memory, for one image as it is packed: it is joined from blocks, and may be made smaller."""


@dataclass(frozen=True)
class Box:
    """The largest image that stays as it is."""

    width_px: int
    height_px: int


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Chunks in order of sources and of their members; a name that comes again gets a number in front."""
    limit_cache()
    box = None
    if params["max_width"] is not None or params["max_height"] is not None:
        box = Box(params["max_width"] or UNLIMITED_PX, params["max_height"] or UNLIMITED_PX)
    first = 0
    images = _unique(_images(sources, box))
    path = resources().new_folder() / "batch.tar"
    for head in images:
        names: list[str] = []
        with path.open("wb") as out:
            out.writelines(tar_of(_files(chain([head], islice(images, params["items_per_chunk"] - 1)), names)))
        metadata = {"images": names, "first": first}
        yield Chunk.of_file(path, name=f"images_{first:09d}.tar", items=len(names), metadata=metadata)
        path.unlink()
        first += len(names)


def _files(images: Iterable[tuple[str, bytes]], names: list[str]) -> Iterator[tuple[str, int, list[bytes]]]:
    """For tar_of; notes each name."""
    for name, data in images:
        names.append(name)
        yield name, len(data), [data]


def _unique(images: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    for number, (name, data) in enumerate(images):
        kept = name
        while kept in seen:
            path = PurePosixPath(kept)
            kept = (path.parent / f"{number:06d}_{path.name}").as_posix()
        seen.add(kept)
        yield kept, data


def _images(sources: Sequence[Source], box: Box | None) -> Iterator[tuple[str, bytes]]:
    """Names and bytes, one image in memory at a time."""
    for source in sources:
        for name, data in _in_source(source):
            yield name, data if box is None else _fitting(source, name, data, box)


def _in_source(source: Source) -> Iterator[tuple[str, bytes]]:
    lower = source.name.lower()
    if not source.size:
        text = "is empty, and an image or an archive is not. Correct or remove it."
        raise source.error(text)
    if lower.endswith(".zip"):
        yield from _in_zip(source)
    elif lower.endswith(TARS):
        yield from _in_tar(source)
    elif PurePosixPath(lower).suffix in EXTENSIONS:
        _check_size(source, source.size)
        yield source.name, b"".join(source.stream())
    else:
        known = ", ".join(sorted(EXTENSIONS))
        text = f"is neither an image ({known}) nor a zip or tar of them. Leave it out of the sources."
        raise source.error(text)


def _is_image(member: str) -> bool:
    """By its extension; what macOS keeps beside the files of an archive is none: `__MACOSX/._a.jpg`, `._a.jpg`."""
    path = PurePosixPath(member)
    is_beside = "__MACOSX" in path.parts or path.name.startswith("._")
    return path.suffix.lower() in EXTENSIONS and not is_beside


def _in_zip(source: Source) -> Iterator[tuple[str, bytes]]:
    expansion = Expansion(source)
    with source.open() as data, open_zip(source, data) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and _is_image(entry.filename):
                expansion.add(entry.file_size, entry.filename)
                _check_size(source, entry.file_size, entry.filename)
                yield safe_name(source, entry.filename), b"".join(entry_blocks(archive, entry, source))


def _in_tar(source: Source) -> Iterator[tuple[str, bytes]]:
    with source.open() as data:
        for member in read_tar(source, data):
            if _is_image(member.name):
                _check_size(source, member.size, member.name)
                yield member.name, member.data.read()


def _check_size(source: Source, size: int, name: str = "") -> None:
    """Raises the source's error for an image that is too large to be held, by its own size or that of `name` in it."""
    resources().share(IMAGE_SHARE, f"the image{f' {name!r} in it' if name else ''}").check(size, source)


def _fitting(source: Source, name: str, data: bytes, box: Box) -> bytes:
    """The image no larger than the box, its proportions kept; the same bytes when it fits."""
    with image_errors(source, "" if name == source.name else f" ({name!r} in it)"):
        image = read_image(source, data)
        width, height = shown_size(image)
        if width <= box.width_px and height <= box.height_px:
            return data
        return shrunk(source, name, data, image, (box.width_px, box.height_px))
