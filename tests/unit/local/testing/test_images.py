"""PSNR and SSIM beside FFmpeg's filters, and what is told of images that differ."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triptych.local.testing.comparison import Comparison, Rule, compare
from triptych.local.testing.images import psnr_db, ssim
from triptych.settings import PROJECT

FLOWER = PROJECT / "include" / "apps" / "thumbnails" / "test" / "images" / "flower.jpg"


def _save(folder: Path, pixels: np.ndarray, name: str = "a.png") -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return folder


def _noisy(pixels: np.ndarray, spread: float) -> np.ndarray:
    noise = np.random.default_rng(7).normal(0, spread, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _by_ffmpeg(metric: str, one: Path, other: Path) -> float:
    chain = f"[0]format=gbrp[a];[1]format=gbrp[b];[a][b]{metric}"
    command = [
        "ffmpeg",
        "-hide_banner",
        "-nostdin",
        "-i",
        str(one),
        "-i",
        str(other),
        "-lavfi",
        chain,
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"(?:average|All):([\d.]+)", done.stderr)
    assert found
    return float(found[1])


@pytest.mark.parametrize("spread", [2, 12, 60])
def test_both_measures_are_ffmpegs(tmp_path: Path, spread: float) -> None:
    # Rows beyond a multiple of 4 are left out. (Of some widths FFmpeg 5.1's own shortcut leaves out more.)
    pixels = np.asarray(Image.open(FLOWER).crop((100, 50, 340, 201)))
    noisy = _noisy(pixels, spread)
    one, other = (_save(tmp_path / name, each) / "a.png" for name, each in (("one", pixels), ("other", noisy)))
    frames = pixels.astype(float), noisy.astype(float)
    assert psnr_db(*frames, 255) == pytest.approx(_by_ffmpeg("psnr", one, other), abs=1e-4)
    assert ssim(*frames, 255) == pytest.approx(_by_ffmpeg("ssim", one, other), abs=1e-4)


def test_noise_is_allowed_as_far_as_the_rule_says(tmp_path: Path) -> None:
    pixels = np.asarray(Image.open(FLOWER))
    expected, output = _save(tmp_path / "expected", pixels), _save(tmp_path / "got", _noisy(pixels, 4))
    found = [
        compare(output, expected, [Rule("*", Comparison.IMAGE, **limits)])
        for limits in ({"min_psnr_db": 30}, {"min_ssim": 0.8}, {}, {"min_psnr_db": 30, "min_ssim": 0.999})
    ]
    assert found[:2] == [[], []]
    assert (found[2][0].expected, found[2][0].got[:2]) == ("a PSNR of 40 dB or more", "36")
    assert found[3][0].expected == "an SSIM of 0.999 or more"


def test_size_and_bands_must_be_equal(tmp_path: Path) -> None:
    expected = _save(tmp_path / "expected", np.zeros((20, 30, 3), np.uint8))
    for number, pixels in enumerate([np.zeros((20, 31, 3), np.uint8), np.zeros((20, 30), np.uint8)]):
        output = _save(tmp_path / f"got{number}", pixels)
        (found,) = compare(output, expected, [Rule("*", Comparison.IMAGE)])
        assert found.expected == "30 x 20, RGB, 1 frame(s)"
        assert found.got in ("31 x 20, RGB, 1 frame(s)", "30 x 20, L, 1 frame(s)")


def test_sixteen_bits_have_their_own_peak(tmp_path: Path) -> None:
    pixels = np.full((20, 20), 30000, np.uint16)
    expected, output = _save(tmp_path / "expected", pixels), _save(tmp_path / "got", pixels + np.uint16(65))
    assert compare(output, expected, [Rule("*", Comparison.IMAGE, min_psnr_db=60)]) == []
    assert compare(output, expected, [Rule("*", Comparison.IMAGE, min_psnr_db=60.2)]) != []


def test_each_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (16, 16), shade) for shade in (0, 100, 200)]
    for folder, last in (("expected", 200), ("got", 120)):
        (tmp_path / folder).mkdir()
        pages = [*frames[1:2], Image.new("L", (16, 16), last)]
        frames[0].save(tmp_path / folder / "a.tif", save_all=True, append_images=pages)
    (found,) = compare(tmp_path / "got", tmp_path / "expected", [Rule("*", Comparison.IMAGE)])
    assert found.place == "frame 3"


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    expected = _save(tmp_path / "expected", np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "a.png").write_text("no")
    (found,) = compare(tmp_path / "got", expected, [Rule("*", Comparison.IMAGE)])
    assert found.got == "no image that can be read"
