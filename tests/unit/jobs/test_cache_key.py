"""Under what a result may be used again: each thing that a script is given is part of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.jobs.cache_key import CacheContext, differences
from triptych.jobs.plan import FrozenBlock

SAME: Mapping[str, Any] = {
    "sha256": "0a",
    "digest": "sha256:1b",
    "secrets": ["a"],
    "params": {"x": 1, "y": [2]},
    "network": "none",
    "inputs": {"index": "2c"},
}


def _name(folder: Path, **other: Any) -> str:
    about = {**SAME, **other}
    container = {"container": "x:1", "secrets": about["secrets"]}
    app = write_app(folder / str(len([*folder.iterdir()])), "", manifest={"platform_config": container}).app
    frozen = FrozenBlock("tried@1.0", about["sha256"], "x:1", about["digest"])
    return CacheContext.of(frozen, app, about["params"], about["network"], about["inputs"]).name


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"sha256": "0b"}, "code"),
        ({"digest": "sha256:1c"}, "image"),
        ({"params": {"x": 1, "y": [3]}}, "params"),
        ({"inputs": {"index": "2d"}}, "inputs"),
        ({"inputs": {"words": "2c"}}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"network": "bridge"}, "environment"),
        ({"secrets": ["b"]}, "environment"),
    ],
)
def test_each_thing_that_a_script_is_given_is_part_of_it(tmp_path: Path, other: dict[str, Any], part: str) -> None:
    assert differences(_name(tmp_path), _name(tmp_path, **other)) == (part,)


def test_the_order_of_parameters_is_no_part_of_it(tmp_path: Path) -> None:
    assert _name(tmp_path) == _name(tmp_path, params={"y": [2], "x": 1})
