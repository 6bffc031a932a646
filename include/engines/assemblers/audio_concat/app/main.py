"""Pieces of each source as one file; WAV pieces of one kind are put behind each other as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.audio import audio_errors, open_audio, result_fault
from triptych.engines.audio_kinds import Audio, Kind
from triptych.engines.audio_mixing import Target, mixed, overlap_frames
from triptych.engines.coded_audio import write_coded
from triptych.engines.read_ahead import read_ahead
from triptych.engines.riff import wave_file, wave_form
from triptych.engines.waves import WaveAudio, wave_samples

BLOCK_BYTES = 1 << 20
WRITTEN = {"flac": Kind("FLAC", "PCM_24", "flac"), "wav": Kind("WAV", "FLOAT", "wav")}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.metadata.get("source", "audio")), []).append(result)
    for source, pieces in groups.items():
        target = _target(_opened(pieces[0]), params)
        _join(pieces, target, output, f"{PurePosixPath(source).stem}.{target.kind.extension}")


def _opened(piece: Result) -> Audio:
    """What the piece is; only a WaveAudio can still be read."""
    try:
        with open_audio(piece) as audio:
            return audio
    except audio_errors() as error:
        raise result_fault(piece, error) from error


def _target(first: Audio, params: Mapping[str, Any]) -> Target:
    kind = first.kind
    rate, channels = params["sample_rate"] or first.rate, params["channels"] or first.channels
    if (rate, channels) != (first.rate, first.channels):
        kind = replace(kind, form=b"")
    if params["format"] not in ("auto", kind.extension):
        written = WRITTEN[params["format"]]
        is_same = kind.subtype in ("PCM_16", "PCM_24") or (kind.subtype == "PCM_32" and written.format == "WAV")
        kind = replace(written, subtype=kind.subtype if is_same else written.subtype)
    return Target(kind, rate, channels)


def _join(pieces: Sequence[Result], target: Target, output: Output, name: str) -> None:
    if waves := _unchanged(pieces, target):
        length = sum(wave.header.length for wave in waves)
        _put_wave(target, length, (data for wave in waves for data in wave.data()), output, name)
        return
    path, blocks = resources().new_folder() / "joined", read_ahead(mixed(pieces, target))
    if target.kind.format == "WAV":
        with path.open("wb") as out:
            out.writelines(wave_samples(blocks, target.kind.subtype))
        with path.open("rb") as samples:
            _put_wave(target, path.stat().st_size, iter(partial(samples.read, BLOCK_BYTES), b""), output, name)
    else:
        write_coded(path, target.kind, target.rate, target.channels, blocks)
        output.put_file(path, name)
    path.unlink()


def _unchanged(pieces: Sequence[Result], target: Target) -> list[WaveAudio]:
    """The pieces as WAV when they all have the target's samples and do not overlap; else nothing."""
    if target.kind.format != "WAV" or any(overlap_frames(piece, target.rate) for piece in pieces[1:]):
        return []
    waves = []
    for piece in pieces:
        audio = _opened(piece)
        if not isinstance(audio, WaveAudio) or not _fits(audio, target):
            return []
        waves.append(audio)
    return waves


def _fits(audio: Audio, target: Target) -> bool:
    found = (audio.kind.subtype, audio.rate, audio.channels)
    return found == (target.kind.subtype, target.rate, target.channels)


def _put_wave(target: Target, length: int, samples: Iterable[bytes], output: Output, name: str) -> None:
    form = target.kind.form or wave_form(target.kind.subtype, target.rate, target.channels)
    with output.open(name) as out:
        for block in read_ahead(wave_file(form, length, samples)):
            out.write(block)
