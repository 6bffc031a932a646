"""Parts of films are joined by source, whole, each one file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.contract.engines.cases.video import placed
from tests.support.engine_harness import SAMPLES, Results, join, split, untouched
from tests.support.films import H264, clip, pictures, sounds
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings


def _two_of_one_name(folder: Path) -> list[Path]:
    """`a/clip.mp4` and `b/clip.mp4`, with other pictures."""
    paths = [folder / name / "clip.mp4" for name in ("a", "b")]
    for hue, path in enumerate(paths):
        path.parent.mkdir()
        clip(path, 2, f"{H264} -vf hue=h={hue * 90}")
    return paths


@pytest.mark.parametrize(
    ("engine", "params", "assembler", "ends"),
    [
        ("video_frames", {"items_per_chunk": 25}, "video_concat", [".mp4"]),
        ("video_frames", {"items_per_chunk": 25}, "video_scenes", ["_scenes.mp4"]),
        ("video_renditions", {"segment_s": 1}, "video_concat", ["_64p_400k.mp4"]),
        ("passthrough", {}, "video_concat", [".mp4"]),
    ],
)
def test_sources_of_one_name_are_outputs_of_their_own(
    settings: Settings, tmp_path: Path, engine: str, params: dict[str, object], assembler: str, ends: list[str]
) -> None:
    paths = _two_of_one_name(tmp_path)
    joined = join(settings, assembler, untouched(split(settings, engine, paths, params)))
    assert set(joined) == {f"{path.parent.name}/clip{end}" for path in paths for end in ends}
    for path in paths:
        again = tmp_path / "again.mp4"
        again.write_bytes(joined[f"{path.parent.name}/clip{ends[0]}"])
        assert pictures(again) == pictures(path)


@pytest.mark.parametrize("assembler", ["video_concat", "video_scenes"])
def test_a_part_that_is_missing_is_refused_or_left_out(settings: Settings, tmp_path: Path, assembler: str) -> None:
    path = clip(tmp_path / "a.mp4", 3)
    results = untouched(split(settings, "video_frames", [path], {"items_per_chunk": 25}))
    del results[1]
    with pytest.raises(EngineError, match=r"of the 3 parts of a\.mp4, 1 left no file: 1\."):
        join(settings, assembler, results)
    (joined,) = join(settings, assembler, results, {"on_missing": "skip"}).values()
    again = tmp_path / "again.mp4"
    again.write_bytes(joined)
    assert pictures(again) == pictures(path)[:25] + pictures(path)[50:]


def test_only_the_scenes_that_are_chosen_have_to_be_there(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 3)
    results = untouched(split(settings, "video_frames", [path], {"items_per_chunk": 25}))
    del results[1]
    assert join(settings, "video_scenes", results, {"scenes": [2]})
    with pytest.raises(EngineError, match=r"a_scenes\.mp4: there is no scene 1; there are 0, 2\."):
        join(settings, "video_scenes", results, {"scenes": [0, 1]})


def test_a_part_of_two_files_is_refused(settings: Settings, tmp_path: Path) -> None:
    data = clip(tmp_path / "a.mp4", 1).read_bytes()
    (result,) = placed(data)
    doubled = Results({"a.mp4": data, "b.mp4": data}, metadata=result.metadata)
    with pytest.raises(EngineError, match=r"chunk 0, 'a\.mp4': part 0 of film\.mp4 has 2 files"):
        join(settings, "video_concat", [doubled])


def test_results_of_no_source_are_joined_in_order_of_chunk(settings: Settings, tmp_path: Path) -> None:
    paths = [clip(tmp_path / f"{hue}.mkv", 1, f"{H264} -vf hue=h={hue}") for hue in (0, 90)]
    results = [Results({"o.mkv": path.read_bytes()}) for path in paths]
    again = tmp_path / "again.mkv"
    again.write_bytes(join(settings, "video_concat", results)["video.mkv"])
    assert pictures(again) == pictures(paths[0]) + pictures(paths[1])


@pytest.mark.parametrize(
    ("engine", "old", "new"),
    [
        ("video_frames", "frames", "items_per_chunk"),
        ("video_scenes", "min_frames", "min_scene_len"),
        ("video_renditions", "slice_seconds", "segment_s"),
    ],
)
def test_an_old_name_of_a_parameter_names_the_new(settings: Settings, engine: str, old: str, new: str) -> None:
    with pytest.raises(JobSpecError, match=rf"{old}: is unknown\. It is called '{new}' now"):
        split(settings, engine, [SAMPLES / "clip.mp4"], {old: 1})


def test_slices_of_each_rendition_are_a_film(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 4)
    ladder = [{"height": 64, "bitrate_kbps": 90}, {"height": 32, "bitrate_kbps": 40}]
    pieces = split(settings, "video_renditions", [path], {"ladder": ladder, "segment_s": 1.5})
    assert [piece.metadata["segment"] for piece in pieces] == [0, 0, 1, 1, 2, 2][: len(pieces)]
    films = join(settings, "video_concat", untouched(pieces))
    assert set(films) == {"a_64p_90k.mp4", "a_32p_40k.mp4"}
    for name, data in films.items():
        film = tmp_path / name
        film.write_bytes(data)
        assert pictures(film) == pictures(path)
        assert sounds(film) == sounds(path)


def test_a_result_that_begins_without_its_keyframe_is_refused(settings: Settings, tmp_path: Path) -> None:
    """Copied, its frames would be decoded from those of the piece before."""
    whole, late = clip(tmp_path / "a.mkv", 2), tmp_path / "late.mkv"
    drop = ["-c", "copy", "-bsf:v", "noise=drop=not(n)"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(whole), *drop, str(late)], check=True)
    results = placed(whole.read_bytes(), late.read_bytes(), source="a.mkv")
    with pytest.raises(EngineError, match=r"a\.mkv: the parts have 99 frames, and the whole 75"):
        join(settings, "video_concat", results)
