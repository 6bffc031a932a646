"""Whole jobs of the apps that come with Triptych: their own images, the local runner, real data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_images import built_image
from triptych.settings import PROJECT

App = Callable[..., Path]
APP_OF = {
    "align_counts": "align_reads",
    "auth_hosts": "auth_report",
    "embed_index": "embed_text",
    "llm_openai_batch": "llm_batch",
    "redact_counts": "redact_pii",
    "transcribe_text": "transcribe",
    "transcribe_languages": "transcribe",
}
"""Of templates that are called otherwise."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `whole` only with `APPS=whole`, which `make apps` sets."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.docker)
    left_out = [] if os.environ.get("APPS") == "whole" else [item for item in ours if item.get_closest_marker("whole")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Builds the image of an app."""
    return lambda app: built_image(app, tmp_path_factory.mktemp("base"))


@pytest.fixture
def run_app(tmp_path: Path, image: Callable[[str], str]) -> App:
    """Runs a template on these sources, as its user does, and gives the output's folder."""

    def run(template: str, sources: list[Path], *options: Any) -> Path:
        image(APP_OF.get(template, template))
        given = [part for source in sources for part in ("--source", str(source))]
        command = [sys.executable, "-m", "triptych", "run", template, "--include", str(PROJECT / "include")]
        output = tmp_path / "out"
        own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(PROJECT / "plugins")}
        done = subprocess.run(
            [*command, *given, *map(str, options), "--destination", str(output)],
            cwd=tmp_path,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return output

    return run
