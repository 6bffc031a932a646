"""Images in tars, names kept; nothing is decoded unless it may have to be made smaller."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.archives.members import read_tar, safe_name, tar_of
from triptych.engines.images.vips import EXTENSIONS, FAIL_ON, source_fault, vips
from triptych.errors import SourceError

TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
UNLIMITED_PX = 10_000_000


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Chunks in order of sources and of their members; a name that comes again gets a number in front."""
    folder, first = resources().new_folder(), 0
    images = _unique(_images(sources, params))
    path = folder / "batch.tar"
    for head in images:
        names: list[str] = []
        with path.open("wb") as out:
            out.writelines(tar_of(_files(chain([head], islice(images, params["count"] - 1)), names)))
        about = {"images": names, "first": first}
        yield Chunk.of_file(path, name=f"images_{first:09d}.tar", items=len(names), metadata=about)
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


def _images(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes, one image in memory at a time."""
    for source in sources:
        lower = source.name.lower()
        if not source.size:
            msg = f"{source.uri}: is empty, and an image or an archive is not."
            raise SourceError(msg)
        if lower.endswith(".zip"):
            found = _of_zip(source)
        elif lower.endswith(TARS):
            found = _of_tar(source)
        elif PurePosixPath(lower).suffix in EXTENSIONS:
            found = iter([(source.name, b"".join(source.stream()))])
        else:
            known = ", ".join(sorted(EXTENSIONS))
            msg = f"{source.uri}: is neither an image ({known}) nor a zip or tar of them. Leave it out of the sources."
            raise SourceError(msg)
        for name, data in found:
            yield name, _fitting(source, name, data, params)


def _of_zip(source: Source) -> Iterator[tuple[str, bytes]]:
    try:
        with source.open() as data, zipfile.ZipFile(data) as archive:
            for entry in archive.infolist():
                if not entry.is_dir() and PurePosixPath(entry.filename).suffix.lower() in EXTENSIONS:
                    yield safe_name(entry.filename, source.uri), archive.read(entry)
    except (zipfile.BadZipFile, EOFError) as error:
        msg = f"{source.uri}: cannot be read as a zip archive: {error}."
        raise SourceError(msg) from error


def _of_tar(source: Source) -> Iterator[tuple[str, bytes]]:
    with source.open() as data:
        for member in read_tar(data, source.uri):
            if PurePosixPath(member.name).suffix.lower() in EXTENSIONS:
                yield member.name, member.data.read()


def _fitting(source: Source, name: str, data: bytes, params: Mapping[str, Any]) -> bytes:
    """The image no larger than the box; as it is when it fits."""
    if params["max_width"] is None and params["max_height"] is None:
        return data
    width, height = params["max_width"] or UNLIMITED_PX, params["max_height"] or UNLIMITED_PX
    library = vips()
    try:
        image = library.Image.new_from_buffer(data, "", access="sequential", fail_on=FAIL_ON)
        if image.width <= width and image.height <= height:
            return data
        if image.get("vips-loader").startswith("jpegload"):
            # Read small, which is quick, but it takes cut off images: they are looked through first.
            library.Image.new_from_buffer(data, "", access="sequential", fail_on=FAIL_ON, shrink=8).avg()
            smaller = library.Image.thumbnail_buffer(data, width, height=height, size="down")
        else:
            smaller = image.thumbnail_image(width, height=height, size="down")
        return bytes(smaller.write_to_buffer(PurePosixPath(name).suffix.lower(), keep="icc"))
    except library.Error as error:
        where = "" if name == source.name else f", {name!r} in it,"
        raise source_fault(source, error, where) from error
