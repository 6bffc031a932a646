"""The example files of Pillow and of iscc-samples, cut and joined: what comes back is the source, or one sentence.

`make media` takes all of Pillow's; else some of each kind. Truth: Pillow, ImageMagick, FFmpeg.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pyvips
from PIL import Image, ImageOps

from tests.support.engine_harness import join, split, untouched
from tests.support.example_media import examples
from tests.support.films import pictures
from tests.support.programs import needs_ffmpeg
from triptych.errors import SourceError
from triptych.settings import Settings

Pixels = npt.NDArray[np.uint8]
WHOLE = os.environ.get("MEDIA") == "whole"
PARTS = 8
OF_A_KIND = 5
"""How many of Pillow's files of one extension are tried, unless all are."""
LOSSY = {".jpg", ".jpeg", ".jfif", ".webp", ".avif"}
PICTURES = {*LOSSY, ".png", ".apng", ".tif", ".tiff", ".gif", ".bmp", ".ppm", ".pgm"}
MOST_ON_AVERAGE = 2.0
"""Of 255, between two decoders of what is stored with loss: each makes fine colours of coarse ones in its own way."""
OF_SIXTEEN_BITS = 0.6
"""Where sixteen bits become eight to be compared: some cut them off, some round."""
RAW_WORDS = re.compile(r"/scratch/|Error\b|\bvips|Traceback|Invalid argument|not permitted|None\b|0x[0-9a-f]{6}")
FILMS = ["3gp", "avi", "flv", "gif", "m1v", "mkv", "mov", "mp4", "mpg", "rm", "swf", "vob", "webm"]
SPECIAL = {"asf": "holds wmav2, which", "ogv": "cannot be decoded at byte"}
"""Of the same film: Matroska has no name for its sound, and FFmpeg decodes it with errors."""


def _pictures(part: int) -> list[Path]:
    """Each eighth of Pillow's."""
    folder = examples("pillow", "Tests/images")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES:
            found.setdefault(path.suffix.lower(), []).append(path)
    taken = [
        path
        for paths in found.values()
        for path in (paths if WHOLE else paths[:: max(1, len(paths) // OF_A_KIND)][:OF_A_KIND])
    ]
    return taken[part::PARTS]


def _shown(path: Path) -> Iterator[Pixels]:
    """(rows, columns, 4): the first picture as Pillow shows it, and as ImageMagick does."""
    command = ["convert", f"{path}[0]", "-auto-orient", "-coalesce", "-strip", "-depth", "8", "png32:-"]
    done = subprocess.run(command, capture_output=True, check=False)
    for data in (path.read_bytes(), done.stdout):
        with warnings.catch_warnings(), suppress(OSError, SyntaxError, ValueError):
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                shown = _rgba(ImageOps.exif_transpose(image))
            yield shown


def _rgba(image: Image.Image) -> Pixels:
    """Of 16 bits and more the upper eight."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.asarray(image.convert("RGBA"))


def _difference(one: Pixels, other: Pixels) -> float:
    """On average, of what is not transparent in both; infinite for other sizes."""
    if one.shape != other.shape:
        return np.inf
    seen = (one[..., 3:] > 0) | (other[..., 3:] > 0)
    return float((np.abs(one.astype(int) - other) * seen).mean())


def _wrong(settings: Settings, path: Path, folder: Path) -> str:
    """What is wrong with what the engines make of the picture; empty if nothing is, or nobody else can tell."""
    try:
        pieces = split(settings, "image_tiles", [path], {"tile_size": 128, "format": "tiff"})
        (made,) = join(settings, "mosaic", untouched(pieces), {"format": "tiff"}).values()
    except SourceError as error:
        return _badly_said(str(error), path)
    again = folder / "again.tif"
    again.write_bytes(made)
    exact = 0.0 if pyvips.Image.new_from_buffer(made, "").format == "uchar" else OF_SIXTEEN_BITS
    most = MOST_ON_AVERAGE if path.suffix.lower() in LOSSY else exact
    truths = list(_shown(path))
    differences = [_difference(found, truth) for found in _shown(again) for truth in truths]
    if not truths or min(differences) <= most:
        return ""
    return f"differs from what Pillow and ImageMagick show by {differences}"


def _badly_said(text: str, path: Path) -> str:
    """A refusal names the file, says what to do, and has no words of a library's own."""
    said = text.replace(str(path.parent), "")
    is_good = path.name in said and said.endswith(".") and not RAW_WORDS.search(said)
    return "" if is_good else f"is refused with {text!r}"


@pytest.mark.parametrize("part", range(PARTS))
def test_pictures_come_back_as_they_are_shown(settings: Settings, tmp_path: Path, part: int) -> None:
    settings = _with_roots(settings, examples("pillow", "Tests/images"))
    wrong = {path.name: said for path in _pictures(part) if (said := _wrong(settings, path, tmp_path))}
    assert wrong == {}


def _with_roots(settings: Settings, folder: Path) -> Settings:
    return replace(settings, allowed_roots=(*settings.allowed_roots, folder))


def _film(extension: str) -> Path:
    return examples("iscc-samples", "iscc_samples/files") / "video" / f"demo.{extension}"


def _sound(path: Path) -> npt.NDArray[np.float32]:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


@needs_ffmpeg
@pytest.mark.parametrize("extension", FILMS if WHOLE else FILMS[::4])
def test_films_come_back_frame_by_frame(settings: Settings, tmp_path: Path, extension: str) -> None:
    path = _film(extension)
    settings = _with_roots(settings, path.parent)
    pieces = split(settings, "video_frames", [path], {"segment_s": 25, "cut": "keyframes", "crf": 0})
    ((name, data),) = join(settings, "video_concat", untouched(pieces), {"crf": 0}).items()
    again = tmp_path / name
    again.write_bytes(data)
    files = [tmp_path / f"{number}{Path(piece.name).suffix}" for number, piece in enumerate(pieces)]
    for file, piece in zip(files, pieces, strict=True):
        file.write_bytes(piece.data)
    shown = pictures(path)
    assert pictures(again) == shown
    assert pictures(*files) == shown


@pytest.mark.parametrize("extension", SPECIAL)
def test_films_that_cannot_be_kept_are_refused(settings: Settings, extension: str) -> None:
    path = _film(extension)
    with pytest.raises(SourceError, match=SPECIAL[extension]) as caught:
        split(_with_roots(settings, path.parent), "video_frames", [path], {"segment_s": 25, "cut": "keyframes"})
    assert _badly_said(str(caught.value), path) == ""


@needs_ffmpeg
@pytest.mark.parametrize("name", ["aac", "ac3", "aif", "mp3", "ogg", "opus", "wav", "wv"])
def test_sound_comes_back_to_the_sample(settings: Settings, tmp_path: Path, name: str) -> None:
    path = examples("iscc-samples", "iscc_samples/files") / "audio" / f"demo.{name}"
    settings = _with_roots(settings, path.parent)
    pieces = split(settings, "audio_time", [path], {"segment_s": 3.7})
    ((made, data),) = join(settings, "audio_concat", untouched(pieces)).items()
    again = tmp_path / made
    again.write_bytes(data)
    np.testing.assert_allclose(_sound(again), _sound(path), atol=1e-5)
