"""Parts of each source as one file; WAV parts of one format are put behind each other as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.audio.concatenation import Target, mixed, overlap_frames
from triptych.engines.audio.model import WAV_OF_FLOATS, AudioFormat
from triptych.engines.audio.opening import open_audio
from triptych.engines.audio.riff import frame_bytes, plain_fmt_chunk, wave_file
from triptych.engines.audio.soundfile_reader import write_coded
from triptych.engines.audio.span import AudioSpan
from triptych.engines.audio.tags import recording_tags, tell_lost_tags
from triptych.engines.audio.wav_reader import WavReader, wav_samples
from triptych.engines.contracts import Part, SourceParts, by_source, output_names
from triptych.engines.streams.prefetch import prefetch

BLOCK_BYTES = 1 << 20
WRITTEN = {"flac": AudioFormat("FLAC", "PCM_24"), "wav": WAV_OF_FLOATS}
UNPLACED = "audio"
"""The output's name when nobody tells of which source the results are."""


@dataclass(frozen=True)
class Head:
    """What a part is, by its header: `wav` can still be read, anything else has been closed."""

    format: AudioFormat
    rate: int
    channels: int
    frames: int | None
    wav: WavReader | None


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    groups = by_source(results, AudioSpan, unplaced=UNPLACED, on_missing=params["on_missing"])
    heads = [_head(group.parts[0].result) for group in groups]
    targets = [_target(head, params) for head in heads]
    names = output_names([group.source for group in groups], [target.format.extension for target in targets])
    for group, head, target, name in zip(groups, heads, targets, names, strict=True):
        _join(group, head, target, output, name)


def _head(result: Result) -> Head:
    with open_audio(result) as audio:
        wav = audio if isinstance(audio, WavReader) else None
        return Head(audio.format, audio.rate, audio.channels, audio.frames, wav)


def _target(first: Head, params: Mapping[str, Any]) -> Target:
    target = first.format
    rate, channels = params["sample_rate"] or first.rate, params["channels"] or first.channels
    if (rate, channels) != (first.rate, first.channels):
        target = replace(target, fmt_chunk=b"")
    if params["format"] not in ("auto", target.format.lower()):
        written = WRITTEN[params["format"]]
        keeps = target.subtype in ("PCM_16", "PCM_24") or (target.subtype == "PCM_32" and written.format == "WAV")
        target = replace(target, format=written.format, subtype=target.subtype if keeps else written.subtype)
    return Target(target, rate, channels, is_mixed=params["channels"] is not None)


def _join(group: SourceParts[AudioSpan], first: Head, target: Target, output: Output, name: str) -> None:
    if target.format.format != "WAV":
        path = resources().new_folder() / "joined"
        blocks = prefetch(mixed(group.parts, target))
        write_coded(path, target.format, target.rate, target.channels, blocks, recording_tags(group.parts))
        output.put_file(path, name)
        path.unlink()
        return
    tell_lost_tags(group)
    heads = [first, *(_head(part.result) for part in group.parts[1:])]
    overlaps = [overlap_frames(part, target.rate) for part in group.parts[1:]]
    if not any(overlaps) and all(_is_like(head, target) for head in heads):
        wavs = [head.wav for head in heads if head.wav]
        length = sum(wav.header.length for wav in wavs)
        _put_wav(target, length, (data for wav in wavs for data in wav.data()), output, name)
        return
    _put_mixed(group.parts, target, _frames(heads, overlaps, target.rate), output, name)


def _put_mixed(parts: Sequence[Part[AudioSpan]], target: Target, frames: int | None, output: Output, name: str) -> None:
    """A WAV needs its length first: samples wait in a scratch file where the number of frames is not known."""
    samples = wav_samples(mixed(parts, target), target.format.subtype)
    if frames is not None:
        _put_wav(target, frames * frame_bytes(_fmt_chunk(target)), samples, output, name)
        return
    path = resources().new_folder() / "joined"
    with path.open("wb") as out:
        out.writelines(prefetch(samples))
    with path.open("rb") as joined:
        _put_wav(target, path.stat().st_size, iter(partial(joined.read, BLOCK_BYTES), b""), output, name)
    path.unlink()


def _frames(heads: Sequence[Head], overlaps: Sequence[int], rate: int) -> int | None:
    """Of the whole; None where only decoding or resampling tells it."""
    total = 0
    for head, shared in zip(heads, [*overlaps, 0], strict=True):
        if head.frames is None or head.rate != rate:
            return None
        total += head.frames - min(head.frames, shared)
    return total


def _is_like(head: Head, target: Target) -> bool:
    """Whether its bytes are the target's samples."""
    own = (head.format.subtype, head.rate, head.channels)
    return head.wav is not None and own == (target.format.subtype, target.rate, target.channels)


def _put_wav(target: Target, length: int, samples: Iterable[bytes], output: Output, name: str) -> None:
    with output.open(name) as out:
        for block in prefetch(wave_file(_fmt_chunk(target), length, samples)):
            out.write(block)


def _fmt_chunk(target: Target) -> bytes:
    return target.format.fmt_chunk or plain_fmt_chunk(target.format.subtype, target.rate, target.channels)
