"""`triptych app test` of the apps that come with Triptych, in their images; and of what a broken one gives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.app_images import APPS
from tests.support.app_tests import states
from triptych.settings import PROJECT

CASES = {
    "align_reads": ["align_reads", "align_reads/counts"],
    "auth_report": ["auth_report"],
    "classify_images": ["classify_images", "classify_images/sheet"],
    "convert": ["convert", "convert/for_web"],
    "detect_objects": ["detect_objects", "detect_objects/boxes"],
    "enhance_image": ["enhance_image"],
    "linecount": ["linecount"],
    "ocr": ["ocr", "ocr/pdf"],
    "thumbnails": ["thumbnails", "thumbnails/images"],
    "to_markdown": ["to_markdown"],
    "tpch_star": ["tpch_star"],
    "transcode_ladder": ["transcode_ladder", "transcode_ladder/by_frames", "transcode_ladder/hls"],
    "wordcount": ["wordcount", "wordcount/keep_case"],
}
BROKEN = {
    "align_reads": ('"-S", "aligned.sam"', '"--trim5", "1", "-S", "aligned.sam"'),
    "auth_report": ("(?P<user>.*?) from {HOST}{PORT}(?: ssh", "(?P<user>.*) for {HOST}{PORT}(?: ssh"),
    "classify_images": ("np.argsort(-likely", "np.argsort(likely"),
    "convert": ('"lossless": True', '"lossless": False'),
    "detect_objects": ("[SIDE, SIDE]), 3)", "[SIDE, SIDE]), 1)"),
    "enhance_image": ("noise=denoise", "noise=3"),
    "linecount": ("words += NF", "words += 1"),
    "ocr": ('"--psm", str(params.get("layout", 3))', '"--psm", "7"'),
    "thumbnails": ("clock(start)", "clock(start + 1)"),
    "to_markdown": ('if given == "odt"', 'if given == "ott"'),
    "tpch_star": ("l_discount BETWEEN 0.05", "l_discount BETWEEN 0.06"),
    "transcode_ladder": ('"passthrough"', '"cfr", "-r", "24"'),
    "wordcount": (">= min_length", "> min_length"),
}
"""Of each script a small mistake: what is there, and what stands in its place."""
HEAVY = {"classify_images", "convert", "detect_objects", "enhance_image", "ocr", "transcode_ladder"}
"""Their mistakes are made with `APPS=whole` only."""


@pytest.mark.parametrize("app", CASES)
def test_samples_give_what_is_expected(app: str, image: Callable[[str], str], tmp_path: Path) -> None:
    image(app)
    assert states(app, PROJECT / "include", tmp_path) == dict.fromkeys(CASES[app], "passed")


@pytest.mark.parametrize(
    "app", [pytest.param(app, marks=[pytest.mark.whole] if app in HEAVY else []) for app in BROKEN]
)
def test_a_small_mistake_in_the_script_is_seen(app: str, image: Callable[[str], str], tmp_path: Path) -> None:
    image(app)
    folder = tmp_path / "include" / "apps" / app
    shutil.copytree(APPS / app, folder)
    (script,) = (folder / "app").iterdir()
    sound, mistaken = BROKEN[app]
    assert sound in script.read_text()
    script.write_text(script.read_text().replace(sound, mistaken))
    assert states(app, tmp_path / "include", tmp_path)[app] == "failed"
