"""One tile of the picture: the place of the tile in `data.bin`, and `tile.png` out.

A point c is in the set when z -> z * z + c, from 0, stays bounded: when |z| never exceeds 2. Points of the set are
black, and no other is; the others are coloured by how soon they escape.
"""

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

ESCAPED = 32.0
"""Beyond 2, so that colours are smooth."""


def points(place, left, top, span):
    """The complex number at the middle of each pixel, (height, width)."""
    step = span / place["image_width_px"]
    real = left + (place["x_px"] + np.arange(place["width_px"]) + 0.5) * step
    imaginary = top - (place["y_px"] + np.arange(place["height_px"]) + 0.5) * step
    return real + 1j * imaginary[:, None]


def is_in_large_parts(c):
    """Whether a point lies in the cardioid or the disc left of it, which need not be iterated."""
    x, y2 = c.real - 0.25, np.square(c.imag)
    q = x * x + y2
    return (q * (q + x) <= y2 / 4) | (np.square(c.real + 1) + y2 <= 1 / 16)


def escape_times(c, iterations):
    """Of each point a smooth number of iterations; infinity in the set."""
    times = np.full(c.size, np.inf)
    left = np.flatnonzero(~is_in_large_parts(c).ravel())
    c = c.ravel()[left]
    z = np.zeros_like(c)
    for count in range(1, iterations + 1):
        z = z * z + c
        gone = np.abs(z) > ESCAPED
        if gone.any():
            times[left[gone]] = count + 1 - np.log2(np.log(np.abs(z[gone])))
            z, c, left = z[~gone], c[~gone], left[~gone]
    return times


def colours(times):
    """(..., 3) of 8 bits: a wheel of colours by the logarithm of the time, and black in the set."""
    phase = 2.2 * np.log1p(np.maximum(np.where(np.isinf(times), 0, times), 0))[..., None]
    shades = 0.5 + 0.45 * np.cos(phase + np.array([3.4, 4.0, 4.9]))
    return np.where(np.isinf(times)[..., None], 0, 255 * shades).astype(np.uint8)


def main() -> None:
    place = json.loads(Path(os.environ["TASK_DIR"], "data.bin").read_bytes())
    params = json.loads(os.environ["APP_PARAMS"])
    c = points(place, params.get("left", -2.0), params.get("top", 1.25), params.get("span", 2.5))
    times = escape_times(c, params.get("iterations", 1000)).reshape(c.shape)
    Image.fromarray(colours(times)).save(Path(os.environ["TASK_RESULTS_DIR"], "tile.png"))
    print(f"{np.isinf(times).sum()} of {times.size} points are in the set")


if __name__ == "__main__":
    main()
