"""Images compared by what is seen: size and bands must be equal, values may be off by some noise."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triptych.engines.runtime.loading import naming_missing_library
from triptych.local.testing.difference import Difference

LEAST_PSNR_DB = 40.0
"""Where a case says nothing: beyond it nobody sees a difference in 8 bits."""
_WINDOW = 8
_STEP = 4

Frame = npt.NDArray[np.float64]
"""(height, width, bands), values from 0 to the peak."""


def compare_images(
    name: str, got: Path, expected: Path, min_psnr_db: float | None, min_ssim: float | None
) -> Difference | None:
    """Frame by frame, of animations and pages too; palettes as the colours that they stand for.

    EngineError where Pillow, of the extra `images`, is not installed.
    """
    (wanted, about), (made, about_made) = _frames(expected, name), _frames(got, name)
    if about != about_made:
        return Difference(name, "", about, about_made)
    peak = _peak(about)
    if min_psnr_db is None and min_ssim is None:
        min_psnr_db = LEAST_PSNR_DB
    for number, (one, other) in enumerate(zip(wanted, made, strict=True), 1):
        place = f"frame {number}" if len(wanted) > 1 else ""
        if min_psnr_db is not None and (value := psnr_db(one, other, peak)) < min_psnr_db:
            return Difference(name, place, f"a PSNR of {min_psnr_db:g} dB or more", f"{value:.2f} dB")
        if min_ssim is not None and (value := ssim(one, other, peak)) < min_ssim:
            return Difference(name, place, f"an SSIM of {min_ssim:g} or more", f"{value:.4f}")
    return None


def psnr_db(one: Frame, other: Frame, peak: float) -> float:
    """10 log10(peak² / mean squared error); infinite where both are equal."""
    error = float(np.mean((one - other) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(one: Frame, other: Frame, peak: float) -> float:
    """The mean over windows of 8 x 8 at every 4 pixels, and over bands, as FFmpeg's filter `ssim` has it.

    (Wang et al., 2004, but for the first constant, which is a 64th there.) What is smaller is one window.
    """
    return float(np.mean([_band_ssim(one[..., band], other[..., band], peak) for band in range(one.shape[2])]))


def _band_ssim(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], peak: float) -> float:
    height, width = (min(_WINDOW, side) for side in one.shape)
    a, b = (np.lib.stride_tricks.sliding_window_view(each, (height, width))[::_STEP, ::_STEP] for each in (one, other))
    count = height * width
    mean_a, mean_b = a.mean((2, 3)), b.mean((2, 3))
    # Of a sample: divided by one less than its size, as FFmpeg does.
    scale = count / max(count - 1, 1)
    variances = ((a**2).mean((2, 3)) - mean_a**2 + (b**2).mean((2, 3)) - mean_b**2) * scale
    covariance = ((a * b).mean((2, 3)) - mean_a * mean_b) * scale
    c1, c2 = (0.01 * peak) ** 2 / _WINDOW**2, (0.03 * peak) ** 2
    value = (2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
    return float(value.mean())


def _frames(path: Path, name: str) -> tuple[list[Frame], str]:
    """The pixels, and what must be equal in words: `640 x 480, RGB, 1 frame(s)`."""
    with naming_missing_library(f"the comparison of {name}"):
        from PIL import Image, ImageSequence, UnidentifiedImageError
    try:
        with Image.open(path) as image:
            frames = [
                frame.convert("RGBA") if frame.mode == "P" else frame.copy() for frame in ImageSequence.Iterator(image)
            ]
    except (UnidentifiedImageError, OSError):
        return [], "no image that can be read"
    arrays = [np.atleast_3d(np.asarray(frame, dtype=np.float64)) for frame in frames]
    first = frames[0]
    return arrays, f"{first.width} x {first.height}, {first.mode}, {len(frames)} frame(s)"


def _peak(about: str) -> float:
    """Of 16 bits 65535, of 1 bit 1, else 255."""
    mode = about.split(", ")[1] if ", " in about else ""
    return 65535.0 if mode.startswith("I") else 1.0 if mode == "1" else 255.0
