"""Whether films have every frame of the source, look like it, last as long, and flash when they beep."""

import sys
from pathlib import Path

import av
import numpy as np

SOURCE = Path(__file__).with_name("flashes.mp4")
LEAST_SSIM = 0.9
MOST_OUT_OF_STEP_S = 0.04
"""One frame."""
BEATS = [1, 2, 3, 4, 5]
"""When the sample flashes and beeps, in seconds."""
EXPECTED = [
    ["flashes.mp4"],
    ["flashes_180p_300k.mp4", "flashes_90p_100k.mp4"],
    ["flashes/master.m3u8", "flashes/master.m3u8"],
]
"""Of each case."""


def pictures(path: Path, number: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """(times in seconds, brightness of each pixel) of the video of this number, scaled to this size."""
    with av.open(str(path)) as film:
        frames = list(film.decode(video=number))
    gray = [frame.reformat(width, height, "gray").to_ndarray() for frame in frames]
    return np.array([frame.time for frame in frames]), np.stack(gray).astype(float)


def beeps(path: Path) -> list[float]:
    """When silence ends: the first sample of each run of loud ones that follows a tenth of a second of quiet."""
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        blocks = [(frame.time, frame.to_ndarray()[0]) for frame in film.decode(stream)]
        rate = stream.rate
    samples = np.concatenate([block for _, block in blocks])
    loud = np.flatnonzero(np.abs(samples) > 0.15)
    first = loud[np.diff(loud, prepend=-rate) > rate / 10]
    return list(blocks[0][0] + first / rate)


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """The mean over blocks of 8 x 8 pixels of structural similarity (Wang and others, 2004)."""

    def blocks(frames: np.ndarray) -> np.ndarray:
        count, height, width = frames.shape
        cut = frames[:, : height // 8 * 8, : width // 8 * 8]
        return cut.reshape(count, height // 8, 8, width // 8, 8).swapaxes(2, 3).reshape(-1, 64)

    a, b = blocks(one), blocks(other)
    mean_a, mean_b = a.mean(1), b.mean(1)
    covariance = (a * b).mean(1) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
    return float((light * (2 * covariance + 58.5225) / (a.var(1) + b.var(1) + 58.5225)).mean())


def differ(path: Path, number: int) -> str | None:
    with av.open(str(path)) as film:
        width, height = film.streams.video[number].width, film.streams.video[number].height
    times, found = pictures(path, number, width, height)
    wanted_times, wanted = pictures(SOURCE, 0, width, height)
    if len(found) != len(wanted):
        return f"{len(found)} frames; the source has {len(wanted)}"
    if np.abs((times - times[0]) - (wanted_times - wanted_times[0])).max() > 0.002:
        return "frames are not shown when they were"
    if (likeness := ssim(wanted, found)) < LEAST_SSIM:
        return f"SSIM {likeness:.3f}; {LEAST_SSIM} is the least"
    bright = found.mean(axis=(1, 2)) > 240
    flashes = list(times[bright & ~np.roll(bright, 1)])
    heard = beeps(path)
    print(f"{path.name}: {width} x {height}, SSIM {likeness:.3f}, beeps {np.round(heard, 3)}")
    if len(flashes) != len(BEATS) or len(heard) != len(BEATS):
        return f"{len(flashes)} flashes and {len(heard)} beeps of {len(BEATS)}"
    late = np.abs(np.array(flashes) - np.array(heard)).max()
    return f"{late:.3f} s between a flash and its beep" if late > MOST_OUT_OF_STEP_S else None


def main(output: Path) -> None:
    packages = [path.relative_to(output).as_posix() for path in output.rglob("*.m3u8")]
    # A package is opened by its master, as players open it; each variant is a video of it.
    films = [("flashes/master.m3u8", 0), ("flashes/master.m3u8", 1)] if packages else []
    films += [(path.name, 0) for path in sorted(output.glob("*.mp4"))]
    if [name for name, _ in films] not in EXPECTED:
        sys.exit(f"the films are {films}.")
    for name, number in films:
        if wrong := differ(output / name, number):
            sys.exit(f"{name}, video {number}: {wrong}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
