"""Opening an image as it is shown, whatever its format."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import pyvips

from triptych.engines.api import Input
from triptych.engines.images.foreign import HEAD_BYTES, is_foreign, read_foreign
from triptych.engines.images.orientation import SIDEWAYS, orientation, with_orientation
from triptych.engines.images.vips import FAIL_ON, check_pixels, image_errors, loader_of
from triptych.engines.runtime.resources import resources
from triptych.harmless import harmless_logger

ANIMATED_PNG = b"acTL"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
USUAL_GAMMA = 1 / 2.2
"""What viewers take where nothing is said."""
"""The chunk with which the frames of an APNG begin, which libvips takes for a still PNG."""
_log = harmless_logger(__name__)


def open_image(item: Input, data: BinaryIO) -> pyvips.Image:
    """The first page, upright, to be read from the top down; `data`, the item's open stream, is read as needed.

    Turning it takes a scratch file as large as its pixels. What is left out is told in the log.
    """
    head = data.read(HEAD_BYTES)
    data.seek(0)
    if is_foreign(head):
        return read_foreign(item, data.read())
    with image_errors(item):
        source = pyvips.SourceCustom()
        source.on_read(data.read)
        source.on_seek(data.seek)
        image = pyvips.Image.new_from_source(source, "", access="sequential", fail_on=FAIL_ON)
    check_pixels(item, image, item.size)
    if pages := other_pages(image, head):
        _log.warning("%s: has %s, of which the first is taken.", item.label, pages)
    if colours := unkept_colours(head):
        _log.warning(
            "%s: tells of %s, which is not kept: convert it to sRGB, or to a profile, first.", item.label, colours
        )
    return upright(item, with_orientation(image, loader_of(image), data))


def read_image(item: Input, data: bytes) -> pyvips.Image:
    """The first page of an image in memory, as it is stored; raises the item's error."""
    if is_foreign(data[:HEAD_BYTES]):
        return read_foreign(item, data)
    with image_errors(item):
        image = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on=FAIL_ON)
    check_pixels(item, image, len(data))
    return with_orientation(image, loader_of(image), io.BytesIO(data))


def read_upright(item: Input, data: bytes) -> pyvips.Image:
    """The same as it is shown."""
    return upright(item, read_image(item, data))


def upright(item: Input, image: pyvips.Image) -> pyvips.Image:
    """The image as its EXIF or XMP wants it to be shown, and without that wish."""
    if orientation(image) == 1:
        return image
    folder = resources().new_folder()
    resources().check_room(item, image.width * image.height * image.bands * 8)
    with image_errors(item):
        image.write_to_file(str(folder / "turned.v"))
        return pyvips.Image.new_from_file(str(folder / "turned.v")).autorot()


def shown_size(image: pyvips.Image) -> tuple[int, int]:
    """Width and height as it is shown."""
    size = (image.width, image.height)
    return size[::-1] if orientation(image) in SIDEWAYS else size


def other_pages(image: pyvips.Image, head: bytes) -> str:
    """How many pages or frames there are beside the first, in words; empty where there is one."""
    pages = int(image.get("n-pages")) if "n-pages" in image.get_fields() else 1
    if pages > 1:
        return f"{pages} pages or frames"
    return "several frames" if ANIMATED_PNG in head else ""


def unkept_colours(head: bytes) -> str:
    """What a PNG, by its first bytes, says of its colours that libvips does not keep, in words; empty if nothing.

    PNG, third edition, 4.3: a profile, or that it is sRGB, goes before a gamma, and cICP before all.
    """
    chunks = dict(_png_chunks(head))
    if b"cICP" in chunks:
        return "colours by cICP, as those of HDR"
    if b"gAMA" not in chunks or chunks.keys() & {b"iCCP", b"sRGB"}:
        return ""
    gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100_000
    return "" if abs(gamma - USUAL_GAMMA) < 0.01 else f"a gamma of {gamma:.2f}"


def _png_chunks(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of those in front of the pixels."""
    at = len(PNG_MAGIC)
    while head.startswith(PNG_MAGIC) and at + 8 <= len(head) and head[at + 4 : at + 8] != b"IDAT":
        length = int.from_bytes(head[at : at + 4], "big")
        yield head[at + 4 : at + 8], head[at + 8 : at + 8 + length]
        at += 12 + length
