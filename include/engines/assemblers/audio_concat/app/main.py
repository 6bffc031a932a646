"""Pieces of each source as one file; only as many frames as overlap are kept in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, need, resources
from triptych.engines.audio import Kind, audio_errors, frames, kind_of, open_audio, result_fault, write_audio
from triptych.errors import EngineError

WRITTEN = {"flac": ("FLAC", "PCM_24", "flac"), "wav": ("WAV", "FLOAT", "wav")}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.metadata.get("source", "audio")), []).append(result)
    for source, pieces in groups.items():
        kind, rate, channels = _target(pieces[0], params)
        path = resources().new_folder() / "joined"
        write_audio(path, kind, rate, channels, _joined(pieces, kind, rate, channels))
        output.put_file(path, f"{PurePosixPath(source).stem}.{kind.extension}")
        path.unlink()


def _target(first: Result, params: Mapping[str, Any]) -> tuple[Kind, int, int]:
    try:
        with open_audio(first) as audio:
            kind = kind_of(audio)
            rate, channels = params["sample_rate"] or audio.samplerate, params["channels"] or audio.channels
    except audio_errors() as error:
        raise result_fault(first, error) from error
    if params["format"] != "auto" and kind.extension != params["format"]:
        name, subtype, extension = WRITTEN[params["format"]]
        is_same = kind.subtype in ("PCM_16", "PCM_24") or (kind.subtype == "PCM_32" and name == "WAV")
        kind = Kind(name, kind.subtype if is_same else subtype, extension)
    return kind, rate, channels


def _joined(pieces: Sequence[Result], kind: Kind, rate: int, channels: int) -> Iterator[Any]:
    import numpy as np

    held = np.zeros((0, channels), kind.dtype)
    for number, piece in enumerate(pieces):
        ahead = pieces[number + 1] if number + 1 < len(pieces) else None
        kept = _overlap(ahead, rate) if ahead else 0
        blocks = _blocks(piece, kind, rate, channels)
        head = np.zeros((0, channels), kind.dtype)
        while len(head) < len(held) and (block := next(blocks, None)) is not None:
            head = np.concatenate([head, block])
        if len(head) < len(held):
            msg = f"chunk {piece.chunk}, {piece.name!r}: is shorter than its overlap of {len(held)} frames."
            raise EngineError(msg)
        tail = np.concatenate([_faded(held, head[: len(held)]), head[len(held) :]])
        for block in blocks:
            tail = np.concatenate([tail, block])
            if len(tail) > kept:
                yield tail[: len(tail) - kept]
                tail = tail[len(tail) - kept :]
        yield tail[: len(tail) - kept]
        held = tail[len(tail) - kept :]


def _overlap(piece: Result, rate: int) -> int:
    """Frames, at the target's rate, that the piece shares with the one before."""
    about = piece.metadata
    return round(about.get("overlap_frames", 0) * rate / about["sample_rate"]) if "sample_rate" in about else 0


def _faded(before: Any, after: Any) -> Any:
    """From one to the other in a straight line; equal samples stay what they are."""
    import numpy as np

    if not len(before):
        return before
    share = ((np.arange(len(before)) + 0.5) / len(before))[:, None]
    mixed = before * (1 - share) + after * share
    return mixed if before.dtype.kind == "f" else np.rint(mixed).astype(before.dtype)


def _blocks(piece: Result, kind: Kind, rate: int, channels: int) -> Iterator[Any]:
    """The piece's frames with the target's rate and channels."""
    try:
        with open_audio(piece) as audio:
            blocks = frames(audio, 0, audio.frames, kind.dtype)
            if audio.samplerate != rate:
                blocks = _resampled(blocks, audio.samplerate, rate, kind.dtype)
            for block in blocks:
                yield _mixed(piece, block, channels)
    except audio_errors() as error:
        raise result_fault(piece, error) from error


def _mixed(piece: Result, block: Any, channels: int) -> Any:
    found = block.shape[1]
    if found == channels:
        return block
    if found == 1:
        return block.repeat(channels, axis=1)
    if channels == 1:
        return block.mean(axis=1, keepdims=True).astype(block.dtype)
    msg = f"chunk {piece.chunk}, {piece.name!r}: has {found} channels, and the others {channels}. Mix them in the app."
    raise EngineError(msg)


def _resampled(blocks: Iterator[Any], rate: int, target: int, dtype: str) -> Iterator[Any]:
    """By FFmpeg's resampler, channel by channel in planes."""
    import numpy as np

    av = need("av", "media")
    form = "dblp" if dtype == "float64" else "s32p"
    resampler: Any = None
    for block in blocks:
        layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(block.shape[1], f"{block.shape[1]}C")
        resampler = resampler or av.AudioResampler(format=form, layout=layout, rate=target)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format=form, layout=layout)
        frame.sample_rate = rate
        yield from (piece.to_ndarray().T for piece in resampler.resample(frame))
    if resampler:
        yield from (piece.to_ndarray().T for piece in resampler.resample(None))
