"""Include folders made for one test: an app of a few lines beside the built-in engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triptych.blocks import Template, read_catalog

WORDS = """
i=0
for word in $(cat "$SOURCE_DIR"/*); do printf "%s" "$word" > "$CHUNKS_DIR/data_$i.bin"; i=$((i+1)); done
"""
JOINED = 'cat "$TASK_RESULTS_DIR"/* > "$OUTPUT_DIR/joined"'


def write_app(
    include: Path,
    script: str,
    *,
    name: str = "tried",
    entrypoint: str = "main.py",
    schema: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    template: Mapping[str, Any] | None = None,
) -> Template:
    """An app in `include`, and its template."""
    folder = include / "apps" / name
    (folder / "app").mkdir(parents=True)
    (folder / "app" / entrypoint).write_text(script)
    about = {
        "name": name,
        "version": "1.0",
        "entrypoint": entrypoint,
        "platform_config": {"container": "python:3.11-slim"},
        **(manifest or {}),
    }
    (folder / "manifest.json").write_text(json.dumps(about))
    (folder / "template.json").write_text(json.dumps(template or {}))
    if schema is not None:
        (folder / "schema.json").write_text(json.dumps(schema))
    return read_catalog([include]).template(name)


def write_engine(include: Path, kind: str, script: str) -> None:
    """A container engine named `mine` in `include`, in shell."""
    folder = include / "engines" / kind
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.sh").write_text(script)
    about = {
        "name": "mine",
        "version": "1.0",
        "type": kind,
        "entrypoint": "main.sh",
        "platformConfig": {"container": "python:3.11-slim"},
    }
    (folder / "manifest.json").write_text(json.dumps(about))
