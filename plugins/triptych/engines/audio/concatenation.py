"""Pieces of audio as one stream of arrays, with one rate, one number of channels, and their overlaps faded over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.engines.api import Result
from triptych.engines.audio.model import Kind
from triptych.engines.audio.opening import audio_errors, open_audio, result_fault
from triptych.engines.runtime.resources import need
from triptych.errors import EngineError


@dataclass(frozen=True)
class Target:
    """What pieces become; `rate` in frames a second."""

    kind: Kind
    rate: int
    channels: int


def mixed(pieces: Sequence[Result], target: Target) -> Iterator[Any]:
    """Arrays (frames, channels) of the target's dtype; only as many frames as overlap are kept in memory."""
    import numpy as np

    empty = np.zeros((0, target.channels), target.kind.dtype)
    held = empty
    for piece, ahead in zip(pieces, [*pieces[1:], None], strict=True):
        kept = overlap_frames(ahead, target.rate) if ahead else 0
        blocks = _blocks(piece, target)
        head = empty
        while len(head) < len(held) and (block := next(blocks, None)) is not None:
            head = np.concatenate([head, block])
        if len(head) < len(held):
            msg = f"chunk {piece.chunk}, {piece.name!r}: is shorter than its overlap of {len(held)} frames."
            raise EngineError(msg)
        tail = np.concatenate([_faded(held, head[: len(held)]), head[len(held) :]])
        for block in blocks:
            tail = np.concatenate([tail, block]) if len(tail) else block
            if len(tail) > kept:
                yield tail[: len(tail) - kept]
                tail = tail[len(tail) - kept :]
        kept = min(kept, len(tail))
        yield tail[: len(tail) - kept]
        held = tail[len(tail) - kept :]


def overlap_frames(piece: Result, rate: int) -> int:
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
    return (mixed if before.dtype.kind == "f" else np.rint(mixed)).astype(before.dtype)


def _blocks(piece: Result, target: Target) -> Iterator[Any]:
    """The piece's frames with the target's rate and channels."""
    try:
        with open_audio(piece) as audio:
            blocks = audio.blocks(target.kind.dtype)
            if audio.rate != target.rate:
                blocks = _resampled(blocks, audio.rate, target.rate, target.kind.dtype)
            for block in blocks:
                yield _with_channels(piece, block, target.channels)
    except audio_errors() as error:
        raise result_fault(piece, error) from error


def _with_channels(piece: Result, block: Any, channels: int) -> Any:
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
    form = {"float64": "dblp", "float32": "fltp", "int32": "s32p"}[dtype]
    resampler: Any = None
    for block in blocks:
        layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(block.shape[1], f"{block.shape[1]}C")
        resampler = resampler or av.AudioResampler(format=form, layout=layout, rate=target)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format=form, layout=layout)
        frame.sample_rate = rate
        yield from (piece.to_ndarray().T for piece in resampler.resample(frame))
    if resampler:
        yield from (piece.to_ndarray().T for piece in resampler.resample(None))
