"""Whether the black part has the area of the Mandelbrot set, and lies where Python's complex numbers say."""

import sys
from pathlib import Path

import pyvips

LEFT, TOP, SPAN, ITERATIONS = -2, 1.25, 2.5, 500
AREA, TOLERANCE = 1.50659, 0.01
"""Estimated by Foerstemann to 8 digits, by counting pixels; so few of them, and iterations, find a little more."""
EACH = 9
"""Of so many pixels of a row, and so many rows, one is looked at: 3,136 in all."""
MOST_WRONG = 3
"""Near the border the last bit of a product, which processors round differently, decides."""


def is_in_set(c: complex) -> bool:
    z = 0j
    for _ in range(ITERATIONS):
        z = z * z + c
        if abs(z) > 32:
            return False
    return True


def main(output: Path) -> None:
    pixels = pyvips.Image.new_from_file(str(output / "mandelbrot.png")).numpy()[..., :3]
    height, width = pixels.shape[:2]
    is_black = (pixels == 0).all(axis=-1)
    step = SPAN / width
    area = is_black.sum() * step**2
    if abs(area - AREA) > TOLERANCE:
        sys.exit(f"mandelbrot.png: its black part has an area of {area:.4f}; expected {AREA}.")
    wrong = [
        (x, y)
        for y in range(0, height, EACH)
        for x in range(0, width, EACH)
        if is_in_set(complex(LEFT + (x + 0.5) * step, TOP - (y + 0.5) * step)) != is_black[y, x]
    ]
    if len(wrong) > MOST_WRONG:
        sys.exit(f"mandelbrot.png: {len(wrong)} pixels are black or not, and should be the other: {wrong[:5]} ...")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
