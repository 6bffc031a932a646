"""Which of 99 languages is spoken, by OpenAI's Whisper, which CTranslate2 runs on the CPU."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
import numpy as np
import numpy.typing as npt

from triptych.engines.speech.voice_activity import SPEECH_RATE, Mono
from triptych.errors import EngineError

HEARD_S = 30
"""What the model hears: the beginning of longer speech; silence is put behind shorter."""
WINDOW, HOP, BANDS = 400, 160, 80
"""Samples in a spectrum, samples from one to the next, and mel bands."""


class Whisper:
    """A detector: of float32 samples of one channel at SPEECH_RATE, the BCP 47 code and its probability."""

    def __init__(self, folder: Path) -> None:
        """Of a model in CTranslate2's format. Raises EngineError for one that is none, or tells no languages apart."""
        try:
            # One thread, as a worker runs several tasks at a time.
            self._model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)
        except (RuntimeError, ValueError) as error:
            msg = f"{folder}: is no Whisper model of CTranslate2: {error}. Name another in [triptych] whisper_model."
            raise EngineError(msg) from error
        if not self._model.is_multilingual or self._model.n_mels != BANDS:
            msg = f"{folder}: is no multilingual Whisper of {BANDS} mel bands (tiny to large-v2). Name such a model."
            raise EngineError(msg)

    def __call__(self, samples: Mono) -> tuple[str, float]:
        features = ctranslate2.StorageView.from_array(log_mel(samples)[None])
        token, probability = self._model.detect_language(features)[0][0]
        code = token.strip("<|>")
        # BCP 47 has Javanese as "jv". Rounding can give a little more than 1.
        return "jv" if code == "jw" else code, min(1.0, probability)


def log_mel(samples: Mono) -> npt.NDArray[np.float32]:
    """What the model hears of the samples: float32, BANDS x 3000 spectra, about -1 to 1; the loudest 80 dB only.

    As OpenAI's whisper/audio.py has it: Hann window, padded by reflection, bands by `mel_filters`.
    """
    heard = samples[: HEARD_S * SPEECH_RATE]
    padded = np.pad(np.pad(heard, (0, HEARD_S * SPEECH_RATE - len(heard))), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:-1:HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW + 1)[:-1].astype(np.float32))) ** 2
    bels = np.log10(np.maximum(mel_filters() @ power.T, 1e-10))
    return np.ascontiguousarray((np.maximum(bels, bels.max() - 8) + 4) / 4, np.float32)


def mel_filters() -> npt.NDArray[np.float32]:
    """BANDS triangles over the frequencies of a spectrum, of equal area and equally far apart in Slaney's mel.

    Of his Auditory Toolbox: 200/3 Hz a mel up to 1000 Hz, and 27 mels for each factor of 6.4 from there.
    """
    mels = np.linspace(0, 15 + 27 * np.log(SPEECH_RATE / 2 / 1000) / np.log(6.4), BANDS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    frequencies = np.linspace(0, SPEECH_RATE / 2, WINDOW // 2 + 1)
    widths = np.diff(edges)[:, None]
    rising = (frequencies - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - frequencies) / widths[1:]
    triangles: npt.NDArray[np.float64] = (
        np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])[:, None]
    )
    return triangles.astype(np.float32)
