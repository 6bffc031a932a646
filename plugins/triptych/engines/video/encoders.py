"""Which encoder keeps what a video is: its pixels, fields, rotation and brightness; or why none does."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.sidedata.sidedata import Type

from triptych.engines.video.packets import MP4_KIN, mapped_streams

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

X264, X265, VP9, FFV1 = "libx264", "libx265", "libvpx-vp9", "ffv1"
ENCODERS: Mapping[str, Sequence[str]] = {
    "webm": (VP9,),
    "matroska": (X264, X265, FFV1),
    **dict.fromkeys(MP4_KIN, (X264, X265)),
    "3gp": (X264,),
    "3g2": (X264,),
}
"""By FFmpeg's name of the file's format, best first."""
FIRST_OF = {"hevc": X265, "ffv1": FFV1}
"""The encoder that makes a codec's own packets, by the codec."""
UNSTORED = {X265: {"yuva420p", "yuva420p10le"}, VP9: {"yuva420p"}}
"""Pixels that an encoder takes, and whose transparency is not there any more when FFmpeg decodes what it made."""
SUBSAMPLED_EVEN = (X264, X265)
"""Encoders that take an odd width or height only where colours are as fine as brightness."""
TOP_FIRST, BOTTOM_FIRST = (2, 4), (3, 5)
"""FFmpeg's numbers of orders of fields (AVFieldOrder), by which field is shown first: TT and TB, BB and BT.

Its own command writes TB for what is shown top first (fftools), whatever the comment beside the number says.
"""
PRIMARIES, LIGHT = 50_000, 10_000
"""Steps of SMPTE ST 2086: 0.00002 of a colour's place, 0.0001 cd/m2."""
LOST_WHERE_ENCODED = {Type.DOVI_METADATA: "Dolby Vision", Type.DYNAMIC_HDR_PLUS: "HDR10+"}


class UnwritableError(ValueError):
    """What files of that format, or any encoder for it, cannot hold; the message goes on from the file's name.

    `remedy` is what helps whoever has the source.
    """

    def __init__(self, text: str, remedy: str = "Cut it at keyframes, or convert it first") -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True)
class Looks:
    """How a video is shown, which its packets or its container say: what a new stream of it has to say, too.

    `matrix` turns it (nine integers, FFmpeg's display matrix); `fields` is "tff" or "bff" where it is interlaced;
    `mastering` and `light` are x265's words for the display that it was made on, and its brightest light.
    """

    matrix: tuple[int, ...] = ()
    fields: str = ""
    mastering: str = ""
    light: str = ""
    lost: tuple[str, ...] = ()
    """What no encoder here keeps."""


@dataclass(frozen=True)
class Encoding:
    """An encoder with its options, and the pixels that it is given; `note` says where these are not the source's."""

    codec: str
    pix_fmt: str
    options: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def read_looks(container: InputContainer) -> Looks:
    """By the first frame that can be decoded; the container is read from where it is."""
    video = mapped_streams(container).video
    found: dict[Type, bytes] = {}
    for packet in container.demux(video):
        if frames := packet.decode():
            sides: Iterable[Any] = frames[0].side_data  # Which its stubs take for a mapping by name.
            found = {side.type: bytes(side) for side in sides}
            break
    order = video.codec_context.field_order
    alpha = ("transparency",) if video.metadata.get("alpha_mode") == "1" else ()
    return Looks(
        matrix=struct.unpack("=9i", found[Type.DISPLAYMATRIX]) if Type.DISPLAYMATRIX in found else (),
        fields="tff" if order in TOP_FIRST else "bff" if order in BOTTOM_FIRST else "",
        mastering=_mastering(found.get(Type.MASTERING_DISPLAY_METADATA, b"")),
        light=_light(found.get(Type.CONTENT_LIGHT_LEVEL, b"")),
        lost=alpha + tuple(name for kind, name in LOST_WHERE_ENCODED.items() if kind in found),
    )


def film_encoding(video: VideoStream, looks: Looks, format_name: str, crf: int) -> Encoding:
    """How the video is encoded for a file of that format with nothing lost but what `crf` says.

    UnwritableError where no encoder does: it says what cannot be kept, and where it can.
    """
    if looks.lost:
        msg = f"has {looks.lost[0]}, which is lost where frames are encoded anew"
        raise UnwritableError(msg)
    codecs = _codecs(video, looks, format_name)
    pixels = [(codec, pix_fmt) for codec in codecs for pix_fmt in _taken(codec, video)]
    own = video.pix_fmt or ""
    exact = [codec for codec, pix_fmt in pixels if pix_fmt == own]
    if exact:
        return Encoding(exact[0], own, encoder_options(exact[0], looks, crf))
    wider = sorted(_wider(own, pixels), key=lambda pair: _room(pair[1]))
    if not wider:
        what = f"{video.width} x {video.height} pixels of the format {own}"
        fields = " in two fields" if looks.fields else ""
        bright = " with HDR metadata" if looks.mastering or looks.light else ""
        msg = f"has {what}{fields}{bright}, which no encoder for {format_name} keeps"
        raise UnwritableError(msg)
    codec, pix_fmt = wider[0]
    note = f"pixels of the format {own} become {pix_fmt} where frames are encoded anew, with {codec}"
    return Encoding(codec, pix_fmt, encoder_options(codec, looks, crf), note)


def _codecs(video: VideoStream, looks: Looks, format_name: str) -> list[str]:
    """Encoders that keep fields and brightness, the source's own first."""
    codecs = list(ENCODERS[format_name])
    first = FIRST_OF.get(video.codec_context.codec.canonical_name, codecs[0])
    if looks.mastering or looks.light:
        codecs = [codec for codec in codecs if codec == X265]
    if looks.fields:
        codecs = [codec for codec in codecs if codec == X264]
    return sorted(codecs, key=lambda codec: codec != first)


def _taken(codec: str, video: VideoStream) -> Iterator[str]:
    """Names of the pixel formats that the encoder takes in the video's size."""
    for pixels in av.codec.Codec(codec, "w").video_formats or []:
        shape = av.VideoFormat(pixels.name, 16, 16)
        odd = (video.width % 2 and shape.chroma_width() < 16) or (video.height % 2 and shape.chroma_height() < 16)
        if pixels.name not in UNSTORED.get(codec, ()) and not (codec in SUBSAMPLED_EVEN and odd):
            yield pixels.name


def _wider(own: str, pixels: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those in which every pixel of the format `own` has room: as many bits, colours as fine, its transparency."""
    source = av.VideoFormat(own, 16, 16)
    for codec, name in pixels:
        target = av.VideoFormat(name, 16, 16)
        is_alike = _is_rgb(source) == _is_rgb(target) and _has_alpha(source) == _has_alpha(target)
        is_fine = target.chroma_width() >= source.chroma_width() and target.chroma_height() >= source.chroma_height()
        # JPEG's own names of formats say that all values are used, which the stream's range says anyway.
        if is_alike and is_fine and _bits(target) >= _bits(source) and not name.startswith("yuvj"):
            yield codec, name


def _room(name: str) -> tuple[int, int]:
    """Bits of a pixel's part, and how fine colours are; less is nearer to the source."""
    shape = av.VideoFormat(name, 16, 16)
    return _bits(shape), shape.chroma_width() * shape.chroma_height()


def _bits(shape: av.VideoFormat) -> int:
    return max(part.bits for part in shape.components)


def _is_rgb(shape: av.VideoFormat) -> bool:
    return shape.is_rgb or shape.has_palette


def _has_alpha(shape: av.VideoFormat) -> bool:
    return any(part.is_alpha for part in shape.components) or shape.has_palette


def encoder_options(codec: str, looks: Looks, crf: int) -> dict[str, str]:
    """Of an encoder by name. A CRF of 0 is without loss in H.264 of 8 bits only."""
    if codec == FFV1:
        return {"level": "3", "g": "1"}
    if codec == VP9:
        return {"b:v": "0"} | ({"crf": str(crf)} if crf else {"lossless": "1"})
    if codec == X265:
        # Of a film with fewer frames than B-frames delay, x265 tells times of decoding that it never set.
        own = ["log-level=none", "bframes=0", *(["lossless=1"] if not crf else [])]
        hdr = [text for text in (looks.mastering, looks.light) if text]
        own += [*hdr, "repeat-headers=1", "hdr10=1"] if hdr else []
        return {"preset": "ultrafast", "x265-params": ":".join(own)} | ({"crf": str(crf)} if crf else {})
    options = {"preset": "ultrafast"} | ({"crf": str(crf)} if crf else {"qp": "0"})
    if looks.fields:
        options |= {"flags": "+ildct+ilme", "x264-params": f"{looks.fields}=1"}
    return options


def _mastering(data: bytes) -> str:
    """Of an AVMasteringDisplayMetadata: red, green and blue, white, and the least and most light, as fractions."""
    if len(data) < 88:
        return ""
    numbers = struct.unpack("=20i2i", data[:88])
    parts = [Fraction(a, b or 1) for a, b in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
    has_primaries, has_light = numbers[20:]
    if not has_primaries or not has_light:
        return ""
    red, green, blue, white = [
        f"({round(x * PRIMARIES)},{round(y * PRIMARIES)})" for x, y in zip(parts[:8:2], parts[1:8:2], strict=True)
    ]
    least, most = (round(each * LIGHT) for each in parts[8:])
    return f"master-display=G{green}B{blue}R{red}WP{white}L({most},{least})"


def _light(data: bytes) -> str:
    """Of an AVContentLightMetadata: the brightest pixel, and the brightest frame on average."""
    return "max-cll={},{}".format(*struct.unpack("=2I", data[:8])) if len(data) >= 8 else ""
