"""Which file formats hold which pixels: what a format cannot hold is refused, never written worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triptych.engines.images.vips import ImageHeader

if TYPE_CHECKING:
    import pyvips

ALL_BUT_TIFF = {
    "png": ({"uchar", "ushort"}, (1, 2, 3, 4)),
    "jpeg": ({"uchar"}, (1, 3)),
    "webp": ({"uchar"}, (1, 2, 3, 4)),
    "gif": ({"uchar"}, (1, 2, 3, 4)),
    "bmp": ({"uchar"}, (1, 3, 4)),
    "ppm": ({"uchar", "ushort"}, (3,)),
    "pgm": ({"uchar", "ushort"}, (1,)),
}
"""libvips's formats of numbers, and numbers of bands, by name of the file format; TIFF holds all that there are."""
FORMAT_OF = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jfif": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".webp": "webp",
    ".gif": "gif",
    ".bmp": "bmp",
    ".ppm": "ppm",
    ".pgm": "pgm",
}
"""Names of file formats by extension."""
PLAIN = {"srgb", "rgb", "rgb16", "b-w", "grey16", "multiband", "matrix"}
"""What numbers mean (libvips's interpretations) in formats that say nothing of it."""


def unheld(header: ImageHeader, file_format: str) -> str:
    """Why files of that format cannot hold the image, as a sentence that goes on from its name; empty if they can."""
    if file_format not in ALL_BUT_TIFF:
        return ""
    formats, bands = ALL_BUT_TIFF[file_format]
    is_cmyk_jpeg = file_format == "jpeg" and header.interpretation == "cmyk"
    is_plain = header.interpretation in PLAIN or is_cmyk_jpeg
    if header.format in formats and is_plain and (header.bands in bands or is_cmyk_jpeg):
        return ""
    what = f"{header.bands} band{'s' if header.bands > 1 else ''} of {header.format}"
    meant = "" if is_plain else f", which are {header.interpretation}"
    holds = "png or tiff" if file_format != "png" and not unheld(header, "png") else "tiff"
    return f"has {what}{meant}, which {file_format} cannot hold. Set the format to {holds}."


def fill_pixel(choice: str, header: ImageHeader, nodata: str = "") -> tuple[float, ...] | None:
    """A pixel of the image that is black, white, transparent, or what `nodata` says; None where there is none.

    RGBA of 8 bits in black is (0, 0, 0, 255). White of other numbers than 8 or 16 bits and floats is none.
    """
    if choice == "nodata":
        return (float(nodata),) * header.bands if _holds(header, nodata) else None
    most = {"uchar": 255, "ushort": 65535, "float": 1, "double": 1}.get(header.format)
    has_alpha = header.bands in (2, 4) and header.interpretation != "cmyk"
    if choice == "transparent":
        return (0,) * header.bands if has_alpha else None
    if most is None:
        return (0,) * header.bands if choice == "black" else None
    if header.interpretation == "cmyk":
        return (0, 0, 0, most if choice == "black" else 0)
    shade = most if choice == "white" else 0
    return (*[shade] * (header.bands - has_alpha), *[most] * has_alpha)


def _holds(header: ImageHeader, number: str) -> bool:
    """Whether a pixel of the image can have the value."""
    try:
        value = float(number)
        return header.format in ("float", "double") or np.array(value).astype(header.dtype) == value
    except (ValueError, OverflowError):
        return False


def widened(image: pyvips.Image, header: ImageHeader) -> pyvips.Image:
    """The image with the header's bands and format, where an optimiser has left out what tells nothing.

    Grey is repeated to three bands, what is opaque gets its transparency back, and 8 bits become 16 of the same
    brightness: 255 is 65535. Any other image is given back as it is.
    """
    if image.format == "uchar" and header.format == "ushort":
        image = (image.cast("ushort") * 257).cast("ushort").copy(interpretation=header.interpretation)
    has_alpha, opaque = image.bands in (2, 4), 65535 if image.format == "ushort" else 255
    colours = image.extract_band(0, n=image.bands - has_alpha)
    if header.bands in (3, 4) and colours.bands == 1:
        colours = colours.bandjoin([colours, colours])
    if header.bands in (2, 4) and header.bands == colours.bands + 1:
        alpha = image.extract_band(image.bands - 1) if has_alpha else colours.extract_band(0) * 0 + opaque
        colours = colours.bandjoin(alpha.cast(colours.format))
    return colours if colours.bands == header.bands else image
