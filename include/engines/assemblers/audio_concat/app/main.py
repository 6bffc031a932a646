"""Pieces of each source as one file; WAV pieces of one kind are put behind each other as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.audio.concatenation import Target, mixed, overlap_frames
from triptych.engines.audio.ffmpeg_reader import DecodedAudio
from triptych.engines.audio.model import Kind
from triptych.engines.audio.opening import audio_errors, open_audio, result_fault
from triptych.engines.audio.riff import frame_bytes, wave_file, wave_form
from triptych.engines.audio.soundfile_reader import CodedAudio, write_coded
from triptych.engines.audio.wav_reader import WaveAudio, wave_samples
from triptych.engines.streams.prefetch import prefetch

Opened = WaveAudio | CodedAudio | DecodedAudio
BLOCK_BYTES = 1 << 20
WRITTEN = {"flac": Kind("FLAC", "PCM_24", "flac"), "wav": Kind("WAV", "FLOAT", "wav")}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.metadata.get("source", "audio")), []).append(result)
    for source, pieces in groups.items():
        first = _opened(pieces[0])
        target = _target(first, params)
        _join(pieces, first, target, output, f"{PurePosixPath(source).stem}.{target.kind.extension}")


def _opened(piece: Result) -> Opened:
    """What the piece is; only a WaveAudio can still be read."""
    try:
        with open_audio(piece) as audio:
            return audio
    except audio_errors() as error:
        raise result_fault(piece, error) from error


def _target(first: Opened, params: Mapping[str, Any]) -> Target:
    kind = first.kind
    rate, channels = params["sample_rate"] or first.rate, params["channels"] or first.channels
    if (rate, channels) != (first.rate, first.channels):
        kind = replace(kind, form=b"")
    if params["format"] not in ("auto", kind.extension):
        written = WRITTEN[params["format"]]
        is_same = kind.subtype in ("PCM_16", "PCM_24") or (kind.subtype == "PCM_32" and written.format == "WAV")
        kind = replace(written, subtype=kind.subtype if is_same else written.subtype)
    return Target(kind, rate, channels)


def _join(pieces: Sequence[Result], first: Opened, target: Target, output: Output, name: str) -> None:
    if target.kind.format != "WAV":
        path = resources().new_folder() / "joined"
        write_coded(path, target.kind, target.rate, target.channels, prefetch(mixed(pieces, target)))
        output.put_file(path, name)
        path.unlink()
        return
    parts = [first, *map(_opened, pieces[1:])]
    overlaps = [overlap_frames(piece, target.rate) for piece in pieces[1:]]
    waves = [part for part in parts if isinstance(part, WaveAudio) and _fits(part, target)]
    if len(waves) == len(parts) and not any(overlaps):
        length = sum(wave.header.length for wave in waves)
        _put_wave(target, length, (data for wave in waves for data in wave.data()), output, name)
        return
    samples = wave_samples(mixed(pieces, target), target.kind.subtype)
    frames = _frames(parts, overlaps, target.rate)
    if frames is not None:
        _put_wave(target, frames * frame_bytes(_form(target)), samples, output, name)
        return
    path = resources().new_folder() / "joined"
    with path.open("wb") as out:
        out.writelines(prefetch(samples))
    with path.open("rb") as joined:
        _put_wave(target, path.stat().st_size, iter(partial(joined.read, BLOCK_BYTES), b""), output, name)
    path.unlink()


def _frames(parts: Sequence[Opened], overlaps: Sequence[int], rate: int) -> int | None:
    """Of the whole; None where only decoding or resampling tells it."""
    total = 0
    for part, shared in zip(parts, [*overlaps, 0], strict=True):
        if part.frames is None or part.rate != rate:
            return None
        total += part.frames - min(part.frames, shared)
    return total


def _fits(audio: Opened, target: Target) -> bool:
    found = (audio.kind.subtype, audio.rate, audio.channels)
    return found == (target.kind.subtype, target.rate, target.channels)


def _put_wave(target: Target, length: int, samples: Iterable[bytes], output: Output, name: str) -> None:
    with output.open(name) as out:
        for block in prefetch(wave_file(_form(target), length, samples)):
            out.write(block)


def _form(target: Target) -> bytes:
    return target.kind.form or wave_form(target.kind.subtype, target.rate, target.channels)
