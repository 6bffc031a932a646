"""Include folders made for one test: an app of a few lines beside the built-in engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triptych.blocks import Template, read_catalog


def write_app(
    include: Path,
    script: str,
    *,
    entrypoint: str = "main.py",
    manifest: Mapping[str, Any] | None = None,
    template: Mapping[str, Any] | None = None,
) -> Template:
    """An app `tried` in `include`, and its template."""
    folder = include / "apps" / "tried"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / entrypoint).write_text(script)
    about = {
        "name": "tried",
        "version": "1.0",
        "entrypoint": entrypoint,
        "platform_config": {"container": "python:3.11-slim"},
        **(manifest or {}),
    }
    (folder / "manifest.json").write_text(json.dumps(about))
    (folder / "template.json").write_text(json.dumps(template or {}))
    return read_catalog([include]).template("tried")
