"""Results as one stream of arrays, with one rate, one number of channels, and their overlaps faded over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import av
import numpy as np

from triptych.engines.api import Result
from triptych.engines.audio.joints import Joint
from triptych.engines.audio.lengths import tell_lengths
from triptych.engines.audio.model import BLOCK_FRAMES, AudioFormat, Dtype, Samples
from triptych.engines.audio.opening import open_audio
from triptych.engines.audio.span import AudioSpan
from triptych.engines.contracts import Part

PACKED = {"float64": "dbl", "float32": "flt", "int32": "s32"}
"""FFmpeg's names of sample types, all channels of one time side by side: PyAV does not fill eight planes."""
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's names, by number of channels."""


@dataclass(frozen=True)
class Target:
    """What parts become; `rate` in frames a second. Whoever asked for the channels wants others mixed to them."""

    format: AudioFormat
    rate: int
    channels: int
    is_mixed: bool = False


def mixed(joints: Sequence[Joint], target: Target) -> Iterator[Samples]:
    """Arrays (frames, channels) of the target's dtype; only as many frames as overlap are kept in memory.

    Parts [0, 0, 0] and [4, 4, 4], of which the second overlaps the first by two frames, are [0, 1, 3, 4].
    """
    empty: Samples = np.zeros((0, target.channels), target.format.dtype)
    held = empty
    lengths: list[tuple[Part[AudioSpan], int]] = []
    for joint, following in zip(joints, [*joints[1:], None], strict=True):
        yield from _silence(joint.silent, target)
        if joint.part is None:
            continue
        part, kept = joint.part, following.shared if following else 0
        blocks = _blocks(part.result, target)
        head = empty
        while len(head) < len(held) and (block := next(blocks, None)) is not None:
            head = np.concatenate([head, block])
        if len(head) < len(held):
            text = f"is shorter than its overlap of {len(held)} frames. Let the app keep the length."
            raise part.result.error(text)
        tail = np.concatenate([_faded(held, head[: len(held)]), head[len(held) :]])
        frames = len(tail)
        for block in blocks:
            frames += len(block)
            tail = np.concatenate([tail, block]) if len(tail) else block
            if len(tail) > kept:
                yield tail[: len(tail) - kept]
                tail = tail[len(tail) - kept :]
        kept = min(kept, len(tail))
        yield tail[: len(tail) - kept]
        held = tail[len(tail) - kept :]
        lengths.append((part, frames))
    tell_lengths(lengths, target.rate)


def _silence(frames: int, target: Target) -> Iterator[Samples]:
    for begin in range(0, frames, BLOCK_FRAMES):
        yield np.zeros((min(BLOCK_FRAMES, frames - begin), target.channels), target.format.dtype)


def _faded(before: Samples, after: Samples) -> Samples:
    """From one to the other in a straight line: [0, 0], [4, 4] -> [1, 3]; equal samples stay what they are."""
    if not len(before):
        return before
    share = ((np.arange(len(before)) + 0.5) / len(before))[:, None]
    faded: Samples = before * (1 - share) + after * share
    return (faded if before.dtype.kind == "f" else np.rint(faded)).astype(before.dtype)


def _blocks(result: Result, target: Target) -> Iterator[Samples]:
    """The result's frames with the target's rate and channels."""
    dtype = target.format.dtype
    with open_audio(result) as audio:
        blocks = audio.blocks(dtype)
        is_mixed = target.is_mixed and audio.channels not in (1, target.channels) and target.channels != 1
        if audio.rate != target.rate or is_mixed:
            channels = target.channels if is_mixed else audio.channels
            blocks = _resampled(blocks, audio.rate, replace(target, channels=channels), dtype)
        for block in blocks:
            yield _with_channels(result, block, target.channels)


def _with_channels(result: Result, block: Samples, channels: int) -> Samples:
    own = block.shape[1]
    if own == channels:
        return block
    if own == 1:
        return block.repeat(channels, axis=1)
    if channels == 1:
        mean: Samples = block.mean(axis=1, keepdims=True).astype(block.dtype)
        return mean
    text = f"has {own} channels, and the whole {channels}. Set the parameter channels, and all are mixed to it."
    raise result.error(text)


def _resampled(blocks: Iterator[Samples], rate: int, target: Target, dtype: Dtype) -> Iterator[Samples]:
    """By FFmpeg's resampler: of 5.1 to stereo it mixes the centre and the back to both sides."""
    resampler: av.AudioResampler | None = None
    for block in blocks:
        layout, wanted = layout_name(block.shape[1]), layout_name(target.channels)
        resampler = resampler or av.AudioResampler(format=PACKED[dtype], layout=wanted, rate=target.rate)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format=PACKED[dtype], layout=layout)
        frame.sample_rate = rate
        yield from (each.to_ndarray().reshape(-1, target.channels) for each in resampler.resample(frame))
    if resampler:
        yield from (each.to_ndarray().reshape(-1, target.channels) for each in resampler.resample(None))


def layout_name(channels: int) -> str:
    """FFmpeg's: 6 are `5.1`."""
    return LAYOUTS.get(channels, f"{channels}C")
