"""The app of the jobs here: a nap, which a file holds unless it is its machine's first, and an answer to each line.

A second asks for more memory than machines of the smaller class have, and so for a queue of its own.

A DAG bundle in S3 brings it, and the engines that it needs, to whoever cuts a job.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.include_folders import write_app
from triptych.settings import PROJECT

APP = "nap"
LARGE_APP = "long_nap"
LARGE = "large"
"""A queue, and the class whose tasks it has."""
CLASSES = {
    "small": {"cores": 1, "memory_gib": 0.25},
    LARGE: {"cores": 1, "memory_gib": 1, "queue": LARGE},
}
IMAGE = "triptych-tests/shell:workers"
NAP = """
log="$USER_CACHE_DIR/$JOB_ID"
echo "begun $CHUNK_NUMBER" >> "$log"
echo "napping over chunk $CHUNK_NUMBER"
if [ -e "$USER_CACHE_DIR/hold" ] && [ -e "$log.ended" ]; then
  echo "held $CHUNK_NUMBER" >> "$log"
  while [ -e "$USER_CACHE_DIR/hold" ]; do sleep 0.1; done
fi
seconds=${APP_PARAMS##*: }
sleep "${seconds%\\}}"
while read -r line; do echo "answer to $line"; done < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/r"
echo "ended $CHUNK_NUMBER" >> "$log"
: > "$log.ended"
"""
SCHEMA = {"type": "object", "properties": {"seconds": {"type": "number", "default": 1}}, "additionalProperties": False}
TEMPLATE = {
    "partitioner": "rows",
    "assembler": "concat",
    "params": {"partitioner": {"format": "lines", "items_per_chunk": 1}},
}
_ENGINES = ("partitioners/rows", "assemblers/concat")


def write_bundle(folder: Path) -> None:
    """The DAG file, and beside it an include folder with the two apps and the two engines that it needs."""
    include = folder / "include"
    about = {"platform_config": {"container": IMAGE}}
    for name, needs in ((APP, {}), (LARGE_APP, {"device_requirements": {"min_memory": 0.5}})):
        manifest = {**about, **needs}
        write_app(include, NAP, name=name, entrypoint="main.sh", schema=SCHEMA, manifest=manifest, template=TEMPLATE)
    for engine in _ENGINES:
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "include" / "engines" / engine, include / "engines" / engine, ignore=left_out)
    shutil.copy(PROJECT / "dags" / "triptych_jobs.py", folder)
    shutil.copy(PROJECT / "dags" / ".airflowignore", folder)


def put_bundle(folder: Path, s3: Any, bucket: str, prefix: str) -> None:
    """Into the store, file by file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(folder)}", Body=path.read_bytes())


def source_of(lines: Iterable[str]) -> bytes:
    """A chunk for each line."""
    return "".join(f"{line}\n" for line in lines).encode()


def output_of(lines: Iterable[str]) -> bytes:
    """What the app makes of them, by construction."""
    return "".join(f"answer to {line}\n" for line in lines).encode()
