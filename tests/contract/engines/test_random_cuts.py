"""Cuts with parameters that nobody chose, beside those of FFmpeg's command and of libvips.

`make media` tries some hundred; MEDIA_SEED gives other ones.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pyvips
import soundfile

from tests.support.engine_harness import join, split, untouched
from tests.support.films import clip, pictures
from tests.support.programs import needs_ffmpeg
from triptych.settings import Settings

SEED = os.environ.get("MEDIA_SEED", "16")
TIMES = 15 if os.environ.get("MEDIA") == "whole" else 1
BANDS = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}


def _draw(kind: str, case: int) -> random.Random:
    return random.Random(f"{SEED} {kind} {case}")


@pytest.mark.parametrize("case", range(16 * TIMES))
def test_tiles_are_what_libvips_cuts(settings: Settings, tmp_path: Path, case: int) -> None:
    draw = _draw("image", case)
    width, height, bands = draw.randint(1, 260), draw.randint(1, 260), draw.choice(list(BANDS))
    dtype: np.dtype[Any] = np.dtype(draw.choice(["uint8", "uint16"]))
    values = np.random.default_rng(case).integers(0, 256**dtype.itemsize, (height, width, bands), dtype)
    meant = BANDS[bands] if dtype == np.uint8 else {"b-w": "grey16", "srgb": "rgb16"}[BANDS[bands]]
    path = tmp_path / f"a{draw.choice(['.png', '.tif'])}"
    pyvips.Image.new_from_array(values).copy(interpretation=meant).write_to_file(str(path))
    tile = draw.randint(16, 140)
    params = {
        "tile_size": tile,
        "overlap": draw.choice([0, draw.randint(1, tile // 2)]),
        "boundary": draw.choice(["partial", "pad", "shift"]),
        "format": draw.choice(["png", "tiff"]),
    }
    pieces = split(settings, "image_tiles", [path], params)
    source = pyvips.Image.new_from_file(str(path))
    for piece in pieces:
        place = piece.metadata
        cut = source.crop(place["x_px"], place["y_px"], place["width_px"], place["height_px"])
        found = pyvips.Image.new_from_buffer(piece.data, "").numpy()
        np.testing.assert_array_equal(found[: place["height_px"], : place["width_px"]], cut.numpy(), str(params))
    for on_overlap in ("blend", "crop"):
        (again,) = join(settings, "mosaic", untouched(pieces), {"format": "tiff", "on_overlap": on_overlap}).values()
        np.testing.assert_array_equal(pyvips.Image.new_from_buffer(again, "").numpy(), source.numpy(), str(params))


SOUNDS = [
    (".wav", "pcm_s16le"),
    (".wav", "pcm_u8"),
    (".wav", "pcm_s24le"),
    (".wav", "pcm_f32le"),
    (".flac", "flac"),
    (".aiff", "pcm_s16be"),
    (".w64", "pcm_s24le"),
    (".wav", "pcm_mulaw"),
]


def _decoded(path: Path, channels: int) -> npt.NDArray[np.float64]:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-f", "f64le", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.float64).reshape(-1, channels)


@needs_ffmpeg
@pytest.mark.parametrize("case", range(10 * TIMES))
def test_spans_are_what_ffmpeg_decodes(settings: Settings, tmp_path: Path, case: int) -> None:
    draw = _draw("audio", case)
    rate, channels = draw.choice([8000, 22_050, 44_100, 48_000, 96_000]), draw.choice([1, 2, 2, 6])
    extension, codec = draw.choice(SOUNDS)
    path, frames = tmp_path / f"a{extension}", draw.randint(1, 2 * rate)
    noise = f"anoisesrc=r={rate}:seed={case}:a=0.5,atrim=end_sample={frames}"
    words = ["-f", "lavfi", "-i", noise, "-ac", str(channels), "-c:a", codec]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *words, str(path)], check=True)
    truth = _decoded(path, channels)
    assert frames <= len(truth) < frames + 8  # FFmpeg's W64 says that what it is filled up with is sound.
    segment_s = round(draw.uniform(0.02, 1.5), 3)
    overlap_ms = draw.choice([0, draw.randint(0, int(segment_s * 900))])
    pieces = split(settings, "audio_time", [path], {"segment_s": segment_s, "overlap_ms": overlap_ms})
    for piece in pieces:
        first, count = piece.metadata["first_frame"], piece.metadata["frames"]
        found = soundfile.read(io.BytesIO(piece.data), always_2d=True)[0]
        np.testing.assert_allclose(found, truth[first : first + count], atol=1e-7)
    ((name, data),) = join(settings, "audio_concat", untouched(pieces)).items()
    again = tmp_path / f"again{Path(name).suffix}"
    again.write_bytes(data)
    np.testing.assert_allclose(_decoded(again, channels), truth, atol=1e-7)


X264 = "-c:v libx264 -preset ultrafast"
FILMS = [
    (".mp4", X264),
    (".mkv", X264),
    (".mov", X264),
    (".mkv", f"{X264} -bf 3 -x264-params open-gop=1"),
    (".mp4", f"{X264} -bf 2 -b_strategy 0"),
    (".mkv", "-c:v mpeg4 -bf 2"),
    (".mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=none"),
]


@needs_ffmpeg
@pytest.mark.parametrize("case", range(4 * TIMES))
def test_segments_have_the_frames_that_ffmpeg_shows(settings: Settings, tmp_path: Path, case: int) -> None:
    draw = _draw("video", case)
    (extension, codec), rate = draw.choice(FILMS), draw.choice([12, 24, 25, 30, 50])
    options = f"{codec} -g {draw.randint(1, 40)} {draw.choice(['-an', '-c:a aac', '-c:a libmp3lame'])}"
    path = clip(tmp_path / f"a{extension}", round(draw.uniform(0.5, 3), 2), options, rate)
    cut: dict[str, Any] = draw.choice(
        [{"items_per_chunk": draw.randint(5, 40)}, {"segment_s": round(draw.uniform(0.2, 1.5), 2)}]
    )
    params = {**cut, "cut": draw.choice(["exact", "keyframes"]), "crf": 0}
    pieces = split(settings, "video_frames", [path], params)
    files = [tmp_path / f"piece{number}{Path(piece.name).suffix}" for number, piece in enumerate(pieces)]
    for file, piece in zip(files, pieces, strict=True):
        file.write_bytes(piece.data)
    ((name, data),) = join(settings, "video_concat", untouched(pieces), {"crf": 0}).items()
    again = tmp_path / f"again{Path(name).suffix}"
    again.write_bytes(data)
    truth = pictures(path)
    shown = pictures(*files, again)
    assert len(shown) == 2 * len(truth), params
    if not codec.startswith("-c:v mpeg4"):  # Encoded anew, it becomes H.264 of other pixels.
        assert shown == truth + truth, params
