"""Whether the enlarged photo is nearer to the true one than bicubic interpolation, and shows no seams of tiles."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

LEAST_GAIN_DB = 2.5
TILE_PX, OVERLAP_PX = 96, 16
"""As in case.json: cuts lie in the middle of what tiles share."""


def luma(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=float)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((one - other) ** 2).mean()))


def seam(errors: np.ndarray, step: int, first: int) -> float:
    """How much more the error jumps between the columns where tiles meet than between those around, as a ratio."""
    jumps = np.abs(np.diff(errors, axis=1)).mean(axis=0)
    at = range(first - 1, len(jumps), step)
    around = [np.r_[jumps[cut - 8 : cut - 1], jumps[cut + 2 : cut + 9]].mean() for cut in at]
    return float(np.mean([jumps[cut] / level for cut, level in zip(at, around, strict=True)]))


def main(output: Path, expected: Path) -> None:
    with Image.open(expected / "cup.png") as photo, Image.open(output / "cup_x2.png") as large:
        if large.size != photo.size:
            sys.exit(f"cup_x2.png: {large.size}; {photo.size} is expected.")
        with Image.open(expected.parent / "cup.png") as half:
            bicubic = luma(half.resize(photo.size, Image.Resampling.BICUBIC))
        truth, found = luma(photo), luma(large)
    gain = psnr(found, truth) - psnr(bicubic, truth)
    print(f"{psnr(found, truth):.2f} dB; bicubic {psnr(bicubic, truth):.2f} dB")
    if gain < LEAST_GAIN_DB:
        sys.exit(f"cup_x2.png: {psnr(found, truth):.2f} dB, and bicubic has {psnr(bicubic, truth):.2f}.")
    step, first = 2 * (TILE_PX - OVERLAP_PX), 2 * (TILE_PX - OVERLAP_PX // 2)
    for side, errors in (("columns", found - truth), ("rows", (found - truth).T)):
        ratio = seam(errors, step, first)
        print(f"seams between {side}: {ratio:.3f} of the jumps around")
        if ratio > 1.15:
            sys.exit(f"cup_x2.png: between {side} where tiles meet the error jumps {ratio:.2f} times as much.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
