"""Parts of each source as one file; WAV parts of one format are put behind each other as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.audio.concatenation import Target, mixed
from triptych.engines.audio.encoding import (
    ENCODED,
    LOSSY,
    OPUS_RATE,
    UnencodableError,
    require_encodable,
    write_encoded,
)
from triptych.engines.audio.joints import Joint, joints
from triptych.engines.audio.lengths import tell_lengths
from triptych.engines.audio.model import WAV_OF_FLOATS, AudioFormat
from triptych.engines.audio.opening import open_audio
from triptych.engines.audio.riff import frame_bytes, plain_fmt_chunk, wave_file
from triptych.engines.audio.soundfile_reader import write_coded
from triptych.engines.audio.span import AudioSpan
from triptych.engines.audio.tags import recording_tags, tell_lost_tags
from triptych.engines.audio.wav_reader import WavReader, wav_samples
from triptych.engines.contracts import OnMissing, by_source, output_names
from triptych.engines.streams.prefetch import prefetch

BLOCK_BYTES = 1 << 20
WRITTEN = {
    "flac": AudioFormat("FLAC", "PCM_24"),
    "wav": WAV_OF_FLOATS,
    "alac": AudioFormat("ALAC", "PCM_24"),
    "mp3": AudioFormat("MP3", "FLOAT"),
    "aac": AudioFormat("AAC", "FLOAT"),
    "opus": AudioFormat("OPUS", "FLOAT"),
}
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
    on_missing: OnMissing = "fail" if params["on_missing"] == "fail" else "skip"
    groups = by_source(results, AudioSpan, unplaced=UNPLACED, on_missing=on_missing)
    heads = [_head(group.parts[0].result) for group in groups]
    targets = [_target(group.parts[0].result, head, params) for group, head in zip(groups, heads, strict=True)]
    names = output_names([group.source for group in groups], [target.format.extension for target in targets])
    for group, head, target, name in zip(groups, heads, targets, names, strict=True):
        joined = joints(group, target.rate, fills=params["on_missing"] == "silence")
        if target.format.format == "WAV":
            tell_lost_tags(group)
            _put(joined, head, target, output, name)
        else:
            _write(joined, target, params["bitrate_kbps"], recording_tags(group.parts), output, name)


def _head(result: Result) -> Head:
    with open_audio(result) as audio:
        wav = audio if isinstance(audio, WavReader) else None
        return Head(audio.format, audio.rate, audio.channels, audio.frames, wav)


def _target(result: Result, first: Head, params: Mapping[str, Any]) -> Target:
    """What the result's source becomes; raises the result's error where the format has no such rate or channels."""
    target = first.format
    rate, channels = params["sample_rate"] or first.rate, params["channels"] or first.channels
    if (rate, channels) != (first.rate, first.channels):
        target = replace(target, fmt_chunk=b"")
    if params["format"] not in ("auto", target.format.lower()):
        written = WRITTEN[params["format"]]
        keeps = target.subtype in ("PCM_16", "PCM_24") or (target.subtype == "PCM_32" and written.format == "WAV")
        is_lossy = written.format in LOSSY
        target = AudioFormat(written.format, target.subtype if keeps and not is_lossy else written.subtype)
    if target.format == "OPUS":
        rate = OPUS_RATE
    made = Target(target, rate, channels, is_mixed=params["channels"] is not None)
    if target.format in ENCODED:
        try:
            require_encodable(made)
        except UnencodableError as error:
            text = f"{error}. Set the parameters sample_rate and channels to what it has, or another format."
            raise result.error(text) from error
    return made


def _write(
    joined: Sequence[Joint], target: Target, kbps: int | None, tags: Sequence[str], output: Output, name: str
) -> None:
    path = resources().new_folder() / "joined"
    blocks = prefetch(mixed(joined, target))
    if target.format.format in ENCODED:
        write_encoded(path, target, kbps * 1000 if kbps else None, blocks, tags)
    else:
        write_coded(path, target.format, target.rate, target.channels, blocks, tags)
    output.put_file(path, name)
    path.unlink()


def _put(joined: Sequence[Joint], first: Head, target: Target, output: Output, name: str) -> None:
    """As a WAV: of the parts' own bytes where they are the target's samples, one behind the other."""
    heads = [first, *(_head(joint.part.result) for joint in joined[1:] if joint.part)]
    is_plain = not any(joint.shared or joint.silent for joint in joined)
    if is_plain and all(_is_like(head, target) for head in heads):
        wavs = [head.wav for head in heads if head.wav]
        parts = [joint.part for joint in joined if joint.part]
        tell_lengths([(part, wav.frames) for part, wav in zip(parts, wavs, strict=True)], target.rate)
        length = sum(wav.header.length for wav in wavs)
        _put_wav(target, length, (data for wav in wavs for data in wav.data()), output, name)
        return
    _put_mixed(joined, target, _frames(heads, joined, target.rate), output, name)


def _put_mixed(joined: Sequence[Joint], target: Target, frames: int | None, output: Output, name: str) -> None:
    """A WAV needs its length first: samples wait in a scratch file where the number of frames is not known."""
    samples = wav_samples(mixed(joined, target), target.format.subtype)
    if frames is not None:
        _put_wav(target, frames * frame_bytes(_fmt_chunk(target)), samples, output, name)
        return
    path = resources().new_folder() / "joined"
    with path.open("wb") as out:
        out.writelines(prefetch(samples))
    with path.open("rb") as waiting:
        _put_wav(target, path.stat().st_size, iter(partial(waiting.read, BLOCK_BYTES), b""), output, name)
    path.unlink()


def _frames(heads: Sequence[Head], joined: Sequence[Joint], rate: int) -> int | None:
    """Of the whole; None where only decoding or resampling tells it."""
    total = sum(joint.silent for joint in joined)
    shared = [joint.shared for joint in joined if joint.part]
    for head, following in zip(heads, [*shared[1:], 0], strict=True):
        if head.frames is None or head.rate != rate:
            return None
        total += head.frames - min(head.frames, following)
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
