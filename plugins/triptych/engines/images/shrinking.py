"""Images made smaller, as they are shown, with all their bits, frames and bands."""

from __future__ import annotations

from pathlib import PurePosixPath

import pyvips

from triptych.engines.api import Input
from triptych.engines.images.foreign import EXTENSIONS as FOREIGN
from triptych.engines.images.foreign import HEAD_BYTES, write_foreign
from triptych.engines.images.holding import FORMAT_OF, unheld
from triptych.engines.images.opening import other_pages, read_upright
from triptych.engines.images.orientation import orientation
from triptych.engines.images.vips import FAIL_ON, JPEG_LOADER, ImageHeader, loader_of
from triptych.harmless import harmless_logger

ANIMATED = (".gif", ".webp")
"""Extensions of formats of which all frames are made smaller; of others with several, the first is."""
_log = harmless_logger(__name__)


def shrunk(item: Input, name: str, data: bytes, image: pyvips.Image, box: tuple[int, int]) -> bytes:
    """The file of an image, which `image` is the head of, no larger than the box (width, height) as it is shown.

    Its proportions and its format, by its name, are kept. Raises pyvips.Error, and the item's error where the format
    cannot hold the pixels.
    """
    extension, width, height = PurePosixPath(name).suffix.lower(), *box
    pages = other_pages(image, data[:HEAD_BYTES])
    if pages and extension in ANIMATED:
        frames = pyvips.Image.thumbnail_buffer(data, width, height=height, size="down", option_string="n=-1")
        return _written(frames, extension, data, "icc|other")
    if pages:
        _log.warning("%s: %s has %s, of which the first is made smaller and kept.", item.label, name, pages)
    smaller = _smaller(item, data, image, box)
    if refusal := unheld(ImageHeader.of(smaller), FORMAT_OF.get(extension, "")):
        text = f"{name!r} {refusal.partition('. ')[0]}. Give it a name that ends in .tif."
        raise item.error(text)
    if extension in FOREIGN:
        return write_foreign(smaller, extension)
    return _written(smaller, extension, data, "icc")


def _written(image: pyvips.Image, extension: str, data: bytes, keep: str) -> bytes:
    """In the format of this extension; WebP without loss where the file that it was read from, `data`, is."""
    if extension == ".webp":
        return bytes(image.write_to_buffer(extension, keep=keep, lossless=_is_lossless(data)))
    return bytes(image.write_to_buffer(extension, keep=keep))


def _is_lossless(data: bytes) -> bool:
    """Whether the first frame of a WebP is coded so (RFC 9649): its chunk is `VP8L`, and `VP8 ` of others."""
    offset = 12
    while offset + 8 <= len(data):
        kind, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        # A frame of an animation has 16 bytes of its own in front of chunks.
        offset += 8 + (16 if kind == b"ANMF" else size + size % 2)
    return False


def _smaller(item: Input, data: bytes, image: pyvips.Image, box: tuple[int, int]) -> pyvips.Image:
    width, height = box
    if image.format == "uchar" and image.interpretation != "cmyk" and loader_of(image).startswith(JPEG_LOADER):
        # Read small, which is quick, but it takes cut off images: they are looked through first. Inks would be sRGB.
        looked = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on=FAIL_ON, shrink=8)
        looked.avg()
        if orientation(looked) == orientation(image):  # XMP may turn it, too, which libvips does not see.
            return pyvips.Image.thumbnail_buffer(data, width, height=height, size="down")
    whole = read_upright(item, data)
    if whole.format == "uchar" and whole.interpretation != "cmyk" and whole.bands <= 4:
        return whole.thumbnail_image(width, height=height, size="down")
    # thumbnail_image makes 8 bits of sRGB of all others.
    scale = min(width / whole.width, height / whole.height)
    return whole.resize(scale).cast(whole.format)
