"""The blocks of the jobs that are hit: each can be held in the middle of its work, and says that it is there.

A gate is a name in a folder: while `<gate>.shut` exists, who comes by writes a line into `<gate>.log` and waits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GATE = '''
import os, time

def pass_gate(folder, gate, who):
    """Wait while the gate is shut; says who waits, and with which process."""
    with open(os.path.join(folder, gate + ".log"), "a") as log:
        log.write(f"{who} {os.getpid()}\\n")
    while os.path.exists(os.path.join(folder, gate + ".shut")):
        time.sleep(0.02)
'''
APP = (
    GATE
    + """
import hashlib, json
from pathlib import Path

params = json.loads(os.environ["APP_PARAMS"])
folder, number = os.environ["USER_CACHE_DIR"], os.environ["CHUNK_NUMBER"]
lines = Path(os.environ["TASK_DIR"], "data.bin").read_text().splitlines()
answers = [f"{hashlib.sha256(line.encode()).hexdigest()} {line}\\n" for line in lines]
result, half = Path(os.environ["TASK_RESULTS_DIR"], "part.txt"), len(answers) // 2
result.write_text("".join(answers[:half]))
if int(number) in params["held"]:
    pass_gate(folder, params["gate"], "chunk-" + number)
with result.open("a") as out:
    out.writelines(answers[half:])
with Path(folder, params["gate"] + ".ended").open("a") as log:
    log.write(number.rjust(4095) + "\\n")  # A page of a disk: one that is full cannot take it.
"""
)
PYTHON_PARTITIONER = (
    GATE
    + """
from triptych.engines import Chunk

def partition(sources, params):
    rows, made = params["rows"], 0
    for source in sources:
        offset = 0
        with source.open() as data:
            lines = data.read().splitlines(keepends=True)
        for first in range(0, len(lines), rows):
            length = sum(map(len, lines[first : first + rows]))
            yield Chunk.of_ranges(source, [(offset, length)], items=rows)
            offset, made = offset + length, made + 1
            if made == 2 and params["gate"]:
                pass_gate(params["folder"], params["gate"], "partitioner")
"""
)
PYTHON_ASSEMBLER = (
    GATE
    + """
def assemble(results, output, params):
    with output.open("output.txt") as out:
        for index, result in enumerate(results):
            for block in result.stream():
                out.write(block)
            if index == len(results) // 2 and params["gate"]:
                pass_gate(params["folder"], params["gate"], "assembler")
"""
)
BOXED_PARTITIONER = (
    GATE
    + """
import json
from pathlib import Path

params = json.loads(os.environ["PARTITIONER_PARAMS"])
lines = [line for path in sorted(Path(os.environ["SOURCE_DIR"]).iterdir()) for line in path.read_text().splitlines()]
for number, first in enumerate(range(0, len(lines), params["rows"])):
    text = "".join(line + "\\n" for line in lines[first : first + params["rows"]])
    Path(os.environ["CHUNKS_DIR"], f"data_{number}.bin").write_text(text)
    if number == 1 and params["gate"]:
        pass_gate(os.environ["USER_CACHE_DIR"], params["gate"], "partitioner")
"""
)
BOXED_ASSEMBLER = (
    GATE
    + """
import json
from pathlib import Path

params = json.loads(os.environ["ASSEMBLER_PARAMS"])
parts = sorted(Path(os.environ["TASK_RESULTS_DIR"]).iterdir())
with Path(os.environ["OUTPUT_DIR"], "output.txt").open("w") as out:
    for index, part in enumerate(parts):
        out.write(part.read_text())
        if index == len(parts) // 2 and params["gate"]:
            out.flush()
            pass_gate(os.environ["USER_CACHE_DIR"], params["gate"], "assembler")
"""
)
IMAGE = "python:3.11-slim"
TEXT = {"type": "string", "default": ""}


def write_blocks(include: Path) -> None:
    """Apps `held` (engines in the task process) and `boxed` (engines in containers), and what they need."""
    engine = {"gate": TEXT, "folder": TEXT, "rows": {"type": "integer", "default": 10}}
    held = {"type": "array", "items": {"type": "integer"}, "default": []}
    for name, partitioner, assembler in (
        ("held", PYTHON_PARTITIONER, PYTHON_ASSEMBLER),
        ("boxed", BOXED_PARTITIONER, BOXED_ASSEMBLER),
    ):
        platform = {"platform": "python"} if name == "held" else {"platform_config": {"container": IMAGE}}
        for kind, script in (("partitioner", partitioner), ("assembler", assembler)):
            about = {"name": f"{name}_{kind}", "type": kind, "version": "1.0", **platform}
            _write(include / "engines" / f"{kind}s" / f"{name}_{kind}", script, about, engine)
        app = {"name": name, "version": "1.0", "platform_config": {"container": IMAGE}}
        template = {"partitioner": f"{name}_partitioner", "assembler": f"{name}_assembler"}
        _write(include / "apps" / name, APP, app, {"gate": {**TEXT, "default": "none"}, "held": held}, template)


def _write(
    folder: Path,
    script: str,
    manifest: Mapping[str, Any],
    properties: Mapping[str, Any],
    template: Mapping[str, Any] | None = None,
) -> None:
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").write_text(script)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    (folder / "schema.json").write_text(json.dumps(schema))
    if template is not None:
        (folder / "template.json").write_text(json.dumps(template))


WIDE = """
import hashlib, os
from pathlib import Path

with Path(os.environ["TASK_RESULTS_DIR"], "part.txt").open("w") as out:
    for line in Path(os.environ["TASK_DIR"], "data.bin").read_text().splitlines():
        out.write(f"{hashlib.sha256(line.encode()).hexdigest()} {line}\\n")
"""


def write_wide(include: Path) -> None:
    """Apps `joined` (one output file) and `passed` (one for each chunk), which no gate holds; after `write_blocks`."""
    for name, assembler in (("joined", "held_assembler"), ("passed", "passthrough")):
        app = {"name": name, "version": "1.0", "platform_config": {"container": IMAGE}}
        template = {"partitioner": "held_partitioner", "assembler": assembler}
        _write(include / "apps" / name, WIDE, app, {}, template)
