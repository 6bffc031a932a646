"""Audio that FFmpeg encodes, of exactly as many frames as it is given, as far as the format can tell that.

Encoders put a delay before the first frame, and fill up their last packet. How a decoder learns of both: MP3 by LAME's
tag in the first frame; Opus by the pre-skip and the last page's position (RFC 7845, 4); AAC by MP4's edit list
(ISO/IEC 14496-12, 8.6.6), which FFmpeg's own decoder heeds at the begin only, so that there are up to 1,023 silent
frames behind. ALAC has neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from triptych.engines.audio.concatenation import Target, layout_name
from triptych.engines.audio.model import AudioFormat, Samples

if TYPE_CHECKING:
    from av.audio.stream import AudioStream


@dataclass(frozen=True)
class Coding:
    """FFmpeg's names of an encoder, a container and the samples that the encoder takes of this many bits."""

    codec: str
    container: str
    samples: str
    bits: int | None = None


LOSSY = {
    "MP3": Coding("libmp3lame", "mp3", "fltp"),
    "AAC": Coding("aac", "ipod", "fltp"),
    "OPUS": Coding("libopus", "opus", "flt"),
}
ALAC = {"PCM_16": Coding("alac", "ipod", "s16p"), "PCM_24": Coding("alac", "ipod", "s32p", 24)}
"""By libsndfile's name of the sample type."""
ENCODED = (*LOSSY, "ALAC")
"""Formats, by our names."""
OPUS_RATE = 48_000
"""What every decoder of Opus makes of it, in frames a second."""
CHANNEL_BIT_RATE = 96_000
TAGS = {"tracknumber": "track"}
"""FFmpeg's names of tags, where libsndfile's are others."""


class UnencodableError(ValueError):
    """What a format cannot hold, in words."""


def require_encodable(target: Target) -> None:
    """UnencodableError where the format has no such rate or number of channels: before anything is decoded."""
    encoder = av.codec.Codec(_coding(target.format).codec, "w")
    rates = sorted(encoder.audio_rates or [])
    if rates and target.rate not in rates:
        msg = f"{target.format.format} has no rate of {target.rate} Hz, but {', '.join(map(str, rates))}"
        raise UnencodableError(msg)
    context = av.CodecContext.create(encoder)
    context.sample_rate, context.layout, context.format = (  # type: ignore[attr-defined]  # of audio
        target.rate,
        layout_name(target.channels),
        _coding(target.format).samples,
    )
    context.time_base = Fraction(1, target.rate)
    try:
        context.open()
    except av.FFmpegError as error:
        msg = f"{target.format.format} cannot hold {target.channels} channels at {target.rate} Hz"
        raise UnencodableError(msg) from error


def write_encoded(
    path: Path, target: Target, bit_rate: int | None, blocks: Iterable[Samples], tags: Sequence[str] = ()
) -> None:
    """Arrays (frames, channels) of the target as one file; `bit_rate` is in bits a second, `tags` as `title=Talk`."""
    coding = _coding(target.format)
    # An edit list counts in the time scale of the whole file, which would be milliseconds.
    options = {"movie_timescale": str(target.rate)} if coding.container == "ipod" else {}
    with av.open(str(path), "w", format=coding.container, options=options) as out:
        stream: AudioStream = out.add_stream(coding.codec, rate=target.rate, layout=layout_name(target.channels))  # type: ignore[assignment]  # by its codec
        stream.codec_context.format = coding.samples
        if coding.bits:
            stream.codec_context.options = {"bits_per_raw_sample": str(coding.bits)}
        else:
            stream.bit_rate = bit_rate or CHANNEL_BIT_RATE * target.channels
        named = {TAGS.get(name, name): value for name, _, value in (tag.partition("=") for tag in tags)}
        out.metadata.update(named)
        stream.metadata.update(named)  # Where Ogg has them.
        for frame in _frames(blocks, target, coding):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _coding(form: AudioFormat) -> Coding:
    return LOSSY.get(form.format) or ALAC[form.subtype]


def _frames(blocks: Iterable[Samples], target: Target, coding: Coding) -> Iterator[av.AudioFrame]:
    """One behind the other from time 0 on, of the samples that the encoder takes."""
    written = 0
    layout = layout_name(target.channels)
    for block in blocks:
        if not len(block):
            continue
        samples = (block >> 16).astype(np.int16) if coding.samples == "s16p" else block
        is_planar = coding.samples.endswith("p")
        rows = samples.T if is_planar else samples.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(rows), format=coding.samples, layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = target.rate, Fraction(1, target.rate), written
        written += len(block)
        yield frame
