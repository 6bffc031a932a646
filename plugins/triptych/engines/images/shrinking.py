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
        return bytes(frames.write_to_buffer(extension, keep="icc|other"))
    if pages:
        _log.warning("%s: %s has %s, of which the first is made smaller and kept.", item.label, name, pages)
    smaller = _smaller(item, data, image, box)
    if refusal := unheld(ImageHeader.of(smaller), FORMAT_OF.get(extension, "")):
        text = f"{name!r} {refusal.partition('. ')[0]}. Give it a name that ends in .tif."
        raise item.error(text)
    if extension in FOREIGN:
        return write_foreign(smaller, extension)
    return bytes(smaller.write_to_buffer(extension, keep="icc"))


def _smaller(item: Input, data: bytes, image: pyvips.Image, box: tuple[int, int]) -> pyvips.Image:
    width, height = box
    if image.format == "uchar" and loader_of(image).startswith(JPEG_LOADER):
        # Read small, which is quick, but it takes cut off images: they are looked through first.
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
