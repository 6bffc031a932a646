"""Pictures for what takes 8 bits of red, green and blue and nothing else, as films do."""

from __future__ import annotations

import numpy as np

from triptych.engines.api import Input
from triptych.engines.images.opening import other_pages, read_image, upright
from triptych.engines.images.vips import Pixels, image_errors
from triptych.harmless import harmless_logger

DEEP, HEAD_BYTES = ("ushort",), 4096
_log = harmless_logger(__name__)


def rgb_pixels(item: Input) -> Pixels:
    """Rows of red, green and blue (height, width, 3) of a picture, as it is shown; the log tells of bits left out.

    Raises the item's error where it is none, has several pages, is transparent anywhere, or holds numbers that are no
    brightness of 8 or 16 bits.
    """
    data = b"".join(item.stream())
    image = read_image(item, data)
    if pages := other_pages(image, data[:HEAD_BYTES]):
        text = f"has {pages}, and one is taken from each file. Write each as a file of its own."
        raise item.error(text)
    image = upright(item, image)
    if image.format not in ("uchar", *DEEP):
        text = f"holds pixels of the format {image.format}, which are no colours of a film. Let the app write 8 bits."
        raise item.error(text)
    if image.format in DEEP:
        _log.info("%s: its 16 bits become 8.", item.label)
    with image_errors(item):
        image = image.copy_memory()  # For it is looked through before it is shown.
        if image.hasalpha():
            most = 255 if image.format == "uchar" else 65535
            if image.extract_band(image.bands - 1).min() < most:
                text = "is transparent in places, which a film cannot show. Let the app put it on a background."
                raise item.error(text)
            image = image.extract_band(0, n=image.bands - 1)
        image = image.colourspace("srgb")
        data = image.write_to_memory()
    return np.frombuffer(data, np.uint8).reshape(image.height, image.width, image.bands)
