"""Inputs made by programs that no engine here uses: SoX, ExifTool, MKVToolNix and ImageMagick.

Of each kind that issue reports were about: missing parts, times, how it is shown, what a format cannot hold, tracks
and tags, names, channels. docs/contributing/tests.md lists the versions.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageOps, PngImagePlugin

from tests.contract.engines.cases.images import members, picture
from tests.support.engine_harness import join, split, untouched
from tests.support.films import clip, pictures
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

PACKAGES = {
    "sox": "sox libsox-fmt-mp3",
    "exiftool": "libimage-exiftool-perl",
    "mkvmerge": "mkvtoolnix",
    "convert": "imagemagick",
}


def _needs(program: str) -> pytest.MarkDecorator:
    reason = f"no {program}: apt-get install {PACKAGES[program]}"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


def _run(*words: str | Path) -> str:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True).stdout


def _sox(path: Path, *words: str, seconds: float = 2, rate: int = 44_100) -> Path:
    """Two tones, a major third apart, on so many channels as the words say."""
    _run(
        "sox",
        "-R",
        "-n",
        "-r",
        str(rate),
        *words,
        path,
        "synth",
        str(seconds),
        "sine",
        "440",
        "sine",
        "554",
        "gain",
        "-6",
    )
    return path


def _by_sox(path: Path, channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """What SoX itself reads."""
    command = ["sox", "-R", "-D", str(path), "-t", "raw", "-e", "signed", "-b", "32", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.int32).reshape(-1, channels)


@_needs("sox")
@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("a.flac", "24"),
        ("a.wav", "32"),
        ("a.aiff", "16"),
        ("a.au", "16"),
        ("a.caf", "24"),
    ],
)
def test_sound_of_sox_comes_back_to_the_sample(settings: Settings, tmp_path: Path, name: str, bits: str) -> None:
    path = _sox(tmp_path / name, "-b", bits, "-c", "2")
    results = untouched(split(settings, "audio_time", [path], {"segment_s": 0.7}))
    with pytest.raises(EngineError, match="1 left no file: 1"):
        join(settings, "audio_concat", [results[0], results[2]])
    ((again, data),) = join(settings, "audio_concat", results).items()
    assert again == f"a{Path(name).suffix if name in ('a.flac', 'a.wav', 'a.aiff') else '.wav'}"
    found = soundfile.read(io.BytesIO(data), always_2d=True)[0]
    np.testing.assert_array_equal(found * 2**31, _by_sox(path, 2))


@_needs("sox")
def test_comments_of_sox_are_in_the_whole(settings: Settings, tmp_path: Path) -> None:
    words = [word for tag in ("TITLE=Third", "ARTIST=SoX") for word in ("--add-comment", tag)]
    path = _sox(tmp_path / "a.flac", *words)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.7})
    again = tmp_path / "again.flac"
    again.write_bytes(join(settings, "audio_concat", untouched(pieces))["a.flac"])
    shown = _run("sox", "--info", "-a", again).lower()
    assert "title=third" in shown
    assert "artist=sox" in shown


@_needs("sox")
@pytest.mark.parametrize("channels", [3, 5, 6])
def test_channels_of_sox_are_kept(settings: Settings, tmp_path: Path, channels: int) -> None:
    path = _sox(tmp_path / "a.wav", "-b", "24", "-c", str(channels), seconds=1)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.3})
    again = tmp_path / "again.wav"
    again.write_bytes(join(settings, "audio_concat", untouched(pieces))["a.wav"])
    np.testing.assert_array_equal(_by_sox(again, channels), _by_sox(path, channels))


@_needs("exiftool")
@pytest.mark.parametrize(("orientation", "method"), [(3, 3), (6, 4), (8, 2), (5, 5)])
def test_a_photo_that_exiftool_turns_is_tiled_as_it_is_shown(
    settings: Settings, tmp_path: Path, orientation: int, method: int
) -> None:
    path = tmp_path / "a.png"
    picture(70, 50).save(path)
    _run("exiftool", "-q", "-overwrite_original", f"-Orientation#={orientation}", path)
    pieces = split(settings, "image_tiles", [path], {"tile_size": 32})
    (data,) = join(settings, "mosaic", untouched(pieces)).values()
    steps = {3: "ROTATE_180", 6: "ROTATE_270", 8: "ROTATE_90", 5: "TRANSPOSE"}
    truth = picture(70, 50).transpose(Image.Transpose[steps[orientation]])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(truth))


def _raw_profile(path: Path) -> None:
    """EXIF as text, as ImageMagick wrote it before PNG had a chunk for it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes()
    lines = f"\nexif\n{len(data):8}\n{data.hex()}\n"
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", lines, zip=True)
    with Image.open(path) as image:
        image.load()
    image.save(path, pnginfo=text)


@_needs("exiftool")
@_needs("convert")
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.png", "-XMP-tiff:Orientation#=6"),
        ("a.jpg", "-XMP-tiff:Orientation#=6"),
        ("a.webp", "-XMP-tiff:Orientation#=6"),
        ("a.png", "raw"),
        ("a.png", "behind"),
    ],
)
def test_an_image_is_turned_wherever_that_is_written(
    settings: Settings, tmp_path: Path, name: str, written: str
) -> None:
    """In XMP, in a PNG's text, or behind its pixels, where ImageMagick puts EXIF: what ExifTool and Pillow find."""
    path = tmp_path / name
    picture(70, 50).save(path, lossless=True)  # Which only WebP asks for.
    if written == "raw":
        _raw_profile(path)
    elif written == "behind":
        picture(70, 50).save(tmp_path / "a.jpg")
        _run("exiftool", "-q", "-overwrite_original", "-Orientation#=6", tmp_path / "a.jpg")
        _run("convert", tmp_path / "a.jpg", path)
        assert path.read_bytes().index(b"eXIf") > path.read_bytes().index(b"IDAT")
    else:
        _run("exiftool", "-q", "-overwrite_original", written, path)
    assert _run("exiftool", "-s3", "-Orientation#", path).strip() == "6"
    with Image.open(path) as stored:
        stored.load()
        truth = np.asarray(ImageOps.exif_transpose(stored))
    pieces = split(settings, "image_tiles", [path], {"tile_size": 32})
    (data,) = join(settings, "mosaic", untouched(pieces)).values()
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(data))), truth, atol=3)
    (piece,) = split(settings, "image_batches", [path], {"max_height": 35})
    with Image.open(io.BytesIO(members(piece.data)[name])) as smaller:
        assert ImageOps.exif_transpose(smaller).size == (25, 35)


@_needs("exiftool")
@needs_ffmpeg
def test_a_film_that_exiftool_turns_stays_so(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 2)
    upright = pictures(path)
    _run("exiftool", "-q", "-overwrite_original", "-rotation=90", path)
    pieces = split(settings, "video_frames", [path], {"segment_s": 0.8, "crf": 0})
    files = [tmp_path / f"{number}.mp4" for number in range(len(pieces))]
    for file, piece in zip(files, pieces, strict=True):
        file.write_bytes(piece.data)
    assert pictures(*files) == pictures(path) != upright


@_needs("mkvmerge")
@needs_ffmpeg
def test_times_that_mkvmerge_gives_are_kept(settings: Settings, tmp_path: Path) -> None:
    """Frames of 20, 40 and 80 ms in turn."""
    whole, path, times = (
        clip(tmp_path / "whole.mkv", 2, "-c:v libx264 -preset ultrafast -g 10 -an"),
        tmp_path / "a.mkv",
        tmp_path / "t",
    )
    starts = np.cumsum([0, *np.resize([20, 40, 80], 49)])
    times.write_text("# timestamp format v2\n" + "".join(f"{start}\n" for start in starts))
    _run("mkvmerge", "-q", "-o", path, "--timestamps", f"0:{times}", whole)
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": 10})
    (data,) = join(settings, "video_concat", untouched(pieces)).values()
    again = tmp_path / "again.mkv"
    again.write_bytes(data)
    probe = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "json"]
    shown = [float(frame["pts_time"]) * 1000 for frame in json.loads(_run(*probe, again))["frames"]]
    assert shown == pytest.approx(starts, abs=1)


@_needs("mkvmerge")
@needs_ffmpeg
def test_tracks_that_mkvmerge_adds_come_back(settings: Settings, tmp_path: Path) -> None:
    film, path, chapters = clip(tmp_path / "film.mkv", 2), tmp_path / "a.mkv", tmp_path / "chapters.txt"
    second = clip(tmp_path / "second.mkv", 2, "-vn -c:a flac")
    chapters.write_text("CHAPTER01=00:00:00.000\nCHAPTER01NAME=One\nCHAPTER02=00:00:01.000\nCHAPTER02NAME=Two\n")
    first: list[str | Path] = ["--language", "1:eng", film]
    _run("mkvmerge", "-q", "-o", path, "--title", "Both", "--chapters", chapters, *first, "--language", "0:fra", second)
    pieces = split(settings, "video_frames", [path], {"segment_s": 1})
    again = tmp_path / "again.mkv"
    again.write_bytes(join(settings, "video_concat", untouched(pieces))["a.mkv"])
    seen = [json.loads(_run("mkvmerge", "-J", each)) for each in (path, again)]
    told = [[(track["codec"], track["properties"].get("language")) for track in each["tracks"]] for each in seen]
    assert told[0] == told[1]
    assert len(told[0]) == 3
    assert seen[1]["container"]["properties"]["title"] == "Both"
    assert seen[1]["chapters"][0]["num_entries"] == 2


@_needs("convert")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-colorspace", "CMYK", "-depth", "8"], "has 4 bands of uchar, which are cmyk, which png cannot hold"),
        (["-colorspace", "CMYK", "-depth", "16"], "has 4 bands of ushort, which are cmyk, which png cannot hold"),
        (["-colorspace", "Lab", "-depth", "8"], r"its colours are CIE L\*a\*b\*"),
    ],
)
def test_what_imagemagick_writes_and_png_has_not_is_refused(
    settings: Settings, tmp_path: Path, words: list[str], says: str
) -> None:
    path = tmp_path / "a.tif"
    _run("convert", "-size", "60x40", "gradient:red-blue", *words, path)
    with pytest.raises(SourceError, match=rf"a\.tif: .*{says}"):
        split(settings, "image_tiles", [path], {"format": "png"})


@_needs("convert")
@pytest.mark.parametrize(("words", "told"), [(["-gamma", "2"], "a gamma of"), ([], "")], ids=["linear", "usual"])
def test_a_gamma_of_png_is_told(
    settings: Settings, tmp_path: Path, words: list[str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.png"
    _run("convert", "-size", "60x40", "gradient:", "-colorspace", "Gray", *words, path)
    with caplog.at_level("WARNING"):
        split(settings, "image_tiles", [path], {})
    assert (told in caplog.text) if told else not caplog.text


@_needs("convert")
def test_inks_stay_inks_when_they_are_made_smaller(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    _run("convert", "-size", "80x60", "gradient:red-blue", "-colorspace", "CMYK", "-quality", "95", path)
    small = _smaller(settings, path)
    assert _run("identify", "-format", "%wx%h %[colorspace]", small) == "40x30 CMYK"
    expected = tmp_path / "expected.tif"
    _run("convert", path, "-resize", "40x30", expected)
    with Image.open(small) as found, Image.open(expected) as wanted:
        assert (found.mode, wanted.mode) == ("CMYK", "CMYK")
        assert np.abs(np.asarray(found, np.int16) - np.asarray(wanted, np.int16)).mean() < 2


@pytest.mark.parametrize("is_lossless", [True, False])
def test_webp_without_loss_has_none_when_it_is_made_smaller(
    settings: Settings, tmp_path: Path, *, is_lossless: bool
) -> None:
    noise = picture(80, 60)
    noise.save(tmp_path / "a.png")
    noise.save(tmp_path / "a.webp", lossless=is_lossless, quality=100)
    with Image.open(_smaller(settings, tmp_path / "a.webp")) as found, Image.open(tmp_path / "a.webp") as whole:
        whole.save(tmp_path / "a.png")  # Whose format has no other way.
        with Image.open(_smaller(settings, tmp_path / "a.png")) as wanted:
            assert (found.size, found.tobytes() == wanted.tobytes()) == ((40, 30), is_lossless)


@pytest.mark.parametrize("is_lossless", [True, False])
def test_frames_of_webp_without_loss_have_none(settings: Settings, tmp_path: Path, *, is_lossless: bool) -> None:
    frames = [picture(80, 60, seed=number) for number in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=is_lossless)
    small = _smaller(settings, tmp_path / "a.webp")
    with Image.open(small) as found:
        assert (found.size, getattr(found, "n_frames", 1)) == ((40, 30), 3)
    assert (b"VP8L" in small.read_bytes()) == is_lossless


def _smaller(settings: Settings, path: Path) -> Path:
    """What `image_batches` makes of it, half as wide."""
    (piece,) = split(settings, "image_batches", [path], {"max_width": 40})
    small = path.with_name(f"small{path.suffix}")
    small.write_bytes(members(piece.data)[path.name])
    return small
