"""Which file formats hold which pixels: what a format cannot hold is refused, never written worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
