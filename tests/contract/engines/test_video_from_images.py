"""Pictures as a film, judged by ffprobe and by what FFmpeg's command decodes."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.contract.engines.cases.images import as_png, picture
from tests.support.engine_harness import Results, join, split, untouched
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError
from triptych.settings import Settings

pytestmark = needs_ffmpeg


def _shade(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, (20 + number * 17, 120, 230 - number * 17))


def _shown(film: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Frames by rows, columns, and red, green and blue, as FFmpeg's command shows them."""
    width, height = map(int, _probed(film, "stream=width,height").replace("height=", "").split("=")[1].split())
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(film), "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def _probed(film: Path, entries: str) -> str:
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", entries, "-of", "default=nw=1"]
    return subprocess.run([*command, str(film)], capture_output=True, text=True, check=True).stdout


def _film(settings: Settings, folder: Path, results: list[Results], **params: object) -> Path:
    ((name, data),) = join(settings, "video_from_images", results, params).items()
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("rate", "form"),
    [
        ("25", "mp4"),
        ("30000/1001", "mp4"),
        ("30000/1001", "mov"),
        ("24000/1001", "mkv"),
        ("12.5", "webm"),
        ("60", "mkv"),
    ],
)
def test_pictures_are_frames_of_the_exact_rate(settings: Settings, tmp_path: Path, rate: str, form: str) -> None:
    results = [Results({"out.png": as_png(_shade(number))}) for number in range(12)]
    film = _film(settings, tmp_path, results, frame_rate=rate, format=form, name="my film")
    assert film.name == f"my film.{form}"
    exact = {"12.5": "25/2"}.get(rate, rate if "/" in rate else f"{rate}/1")
    assert f"r_frame_rate={exact}\n" in _probed(film, "stream=r_frame_rate")
    shown = _shown(film)
    assert len(shown) == 12
    truth = [np.asarray(_shade(number))[0, 0] for number in range(12)]
    np.testing.assert_allclose(shown.mean((1, 2)), truth, atol=4)


def test_ten_comes_behind_two(settings: Settings, tmp_path: Path) -> None:
    """In one chunk by the numbers in the names; over all chunks where that is asked for."""
    files = [{f"f{number}.png": as_png(_shade(number)) for number in numbers} for numbers in ((8, 9, 10, 11), (2, 1))]
    found = _film(settings, tmp_path, [Results(each) for each in files])
    assert [round((red - 20) / 17) for red in _shown(found)[:, 20, 20, 0]] == [8, 9, 10, 11, 1, 2]
    found = _film(settings, tmp_path, [Results(each) for each in files], order="name")
    assert [round((red - 20) / 17) for red in _shown(found)[:, 20, 20, 0]] == [1, 2, 8, 9, 10, 11]
    with pytest.raises(EngineError, match=r"chunk 1, 'f1\.png': has the number of chunk 0, 'f1\.png'\. Set order"):
        join(settings, "video_from_images", [Results(files[1])] * 2, {"order": "name"})


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (1, 1)])
def test_odd_sizes_are_kept(settings: Settings, tmp_path: Path, size: tuple[int, int]) -> None:
    image = picture(*size)
    shown = _shown(_film(settings, tmp_path, [Results({"a.png": as_png(image)})] * 2, crf=0))
    np.testing.assert_allclose(shown[1].astype(int), np.asarray(image), atol=4)


def test_pictures_of_other_kinds_are_shown_as_they_are_seen(settings: Settings, tmp_path: Path) -> None:
    """Grey, palette, 16 bits, opaque RGBA, and a photo that is to be turned."""
    deep = Image.fromarray(np.full((48, 64), 128 * 257, np.uint16))
    turned, exif = Image.new("RGB", (48, 64), (128, 128, 128)), Image.Exif()
    exif[274] = 6
    photo = io.BytesIO()
    turned.save(photo, "JPEG", exif=exif)
    grey = _shade(0).convert("L").point(lambda _: 128)
    pictures = [as_png(each) for each in (grey, grey.convert("P"), deep, grey.convert("RGBA"))]
    results = [Results({"a.png": data}) for data in pictures] + [Results({"a.jpg": photo.getvalue()})]
    shown = _shown(_film(settings, tmp_path, results))
    assert shown.shape == (5, 48, 64, 3)
    assert np.abs(shown.astype(int) - 128).max() <= 3


def _gif() -> bytes:
    data = io.BytesIO()
    _shade(0).save(data, "GIF", save_all=True, append_images=[_shade(5)])
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("b.png", as_png(_shade(1, (64, 50))), "is 64 x 50, and the first picture 64 x 48. Make all of one size."),
        ("b.png", as_png(picture(64, 48, "RGBA")), "is transparent in places, which a film cannot show."),
        ("b.gif", _gif(), "has 2 pages or frames, and one is taken from each file."),
        ("b.txt", b"no picture", "cannot be read as an image:"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings: Settings, name: str, data: bytes, says: str) -> None:
    results = [Results({"a.png": as_png(_shade(0))}), Results({name: data})]
    with pytest.raises(EngineError) as caught:
        join(settings, "video_from_images", results)
    assert str(caught.value).startswith(f"chunk 1, {name!r}: {says}")


def test_a_missing_picture_is_named_or_left_out(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        _shade(number).save(path)
    results = untouched(split(settings, "passthrough", paths, {}), "o.png")
    for lost in (1, 3):
        left = [
            Results({} if number == lost else each.files, each.name, each.metadata)
            for number, each in enumerate(results)
        ]
        with pytest.raises(EngineError, match=r"of the 4 sources, 1 left no file|chunk 1, before it, left no picture"):
            join(settings, "video_from_images", left)
        assert len(_shown(_film(settings, tmp_path, left, on_missing="skip"))) == 3
