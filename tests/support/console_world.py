"""An Airflow with two teams, and jobs for the console: many chunks of which two fail, files of all kinds, a form."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.bundles import team_bundle
from tests.support.include_folders import write_app
from tests.support.workbooks import number, text, write_workbook
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

USERS = {"ann": "op:team_a", "vic": "viewer:team_a", "bob": "op:team_b"}
TEAMS = {"team_a": ("frames", "kinds", "framed"), "team_b": ("other",)}
CHUNKS = 1000
BROKEN = (417, 862)
NEW_CODE = 'echo "frame $CHUNK_NUMBER" > "$TASK_RESULTS_DIR/frame.txt"'
OLD_CODE = f"""
echo "reading frame $CHUNK_NUMBER"
case "$CHUNK_NUMBER" in {"|".join(map(str, BROKEN))}) echo "no such codec: x-odd" >&2; exit 3;; esac
{NEW_CODE}
"""
OWNED = "document.title = 'owned'; parent.document.title = 'owned'; top.document.title = 'owned'"
HTML = f'<!doctype html><h1>Result</h1><script>{OWNED}</script><img src=x onerror="{OWNED}">'
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="200" height="120" onload="{OWNED}">
<script>{OWNED}</script><rect width="200" height="120" fill="#2f8f5b"/><circle cx="100" cy="60" r="40" fill="#fff"/>
<image href="/leak-by-svg" width="10" height="10"/></svg>"""
CSV = "name,count,note\nalpha,3,\"a, quoted\"\nbeta,14,<script>document.title='owned'</script>\n"


def _tables() -> Mapping[str, bytes]:
    """Files that a library reads, by name: whole ones, and one that is damaged."""
    parquet = io.BytesIO()
    pq.write_table(pa.table({"city": ["Oulu", "<b>Pau</b>"], "people": [215_000, 78_000]}), parquet)
    with tempfile.TemporaryDirectory() as folder:
        rows = [[text("month"), text("rain (mm)")], [text("May"), number("41.5")]]
        workbook = write_workbook(Path(folder, "a.xlsx"), {"Rain": rows}).read_bytes()
    half = parquet.getvalue()[:200]
    packed = gzip.compress(CSV.encode(), mtime=0)
    return {"cities.parquet": parquet.getvalue(), "rain.xlsx": workbook, "half.parquet": half, "packed.csv.gz": packed}


KINDS = f"""
import os, struct, wave, zlib
from pathlib import Path

out = Path(os.environ["TASK_RESULTS_DIR"])
(out / "page.html").write_text({HTML!r})
(out / "chart.svg").write_text({SVG!r})
(out / "table.csv").write_text({CSV!r})
(out / "lines.jsonl").write_text('{{"a": 1, "b": "x"}}\\n{{"a": 2}}\\n')
(out / "fake.png").write_text({HTML!r})
for name, data in {_tables()!r}.items():
    (out / name).write_bytes(data)
(out / "long.txt").write_text("0123456789abcdef\\n" * 60_000)

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

rows = b"".join(b"\\0" + bytes(v for x in range(64) for v in (x * 4, y * 4, 128)) for y in range(64))
head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
picture = b"\\x89PNG\\r\\n\\x1a\\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
(out / "picture.png").write_bytes(picture)
with wave.open(str(out / "tone.wav"), "wb") as sound:
    sound.setparams((1, 2, 8000, 0, "NONE", ""))
    sound.writeframes(bytes(8000))
"""
FRAME: Mapping[str, Any] = {
    "type": "object",
    "required": ["frame"],
    "properties": {
        "frame": {
            "type": "object",
            "required": ["width_px"],
            "properties": {
                "width_px": {"type": "integer", "minimum": 1, "description": "How wide the frame is."},
                "style": {"type": "string", "enum": ["solid", "dotted"]},
            },
        },
        "marks": {"type": "array", "items": {"type": "string"}, "description": "Words to draw."},
        "shade": {"type": "boolean", "default": False},
    },
}
SHOWN = """
cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/given.txt"
printf %s "$APP_PARAMS" > "$TASK_RESULTS_DIR/p.json"
cat "$INPUTS_DIR/glossary" > "$TASK_RESULTS_DIR/terms.txt"
"""


@dataclass(frozen=True)
class ConsoleWorld:
    """The Airflow, its users' passwords by name, and a run of `kinds` that has begun."""

    airflow: EmbeddedAirflow
    passwords: Mapping[str, str]
    include: Path
    kinds: str

    def token(self, user: str) -> str:
        """What Airflow's login puts into the cookie `_token`."""
        given = {"username": user, "password": self.passwords[user]}
        login = httpx.post(f"{self.airflow.url}/auth/token", json=given, timeout=60)
        return str(login.json()["access_token"])

    def mend(self) -> None:
        """Write the code that no chunk fails by."""
        (self.include / "apps" / "frames" / "app" / "main.sh").write_text(NEW_CODE)


def _write_blocks(home: Path) -> None:
    shell: dict[str, Any] = {"entrypoint": "main.sh"}
    once: dict[str, Any] = {"manifest": {"retries": 0}}
    cut = {"partitioner": "replicate", "dataSource": {"dataSourceDescriptor": "bypass"}}
    many = {
        **cut,
        "params": {"partitioner": {"replicas": CHUNKS}},
        "assembler": "zip",
        "config": {"chunksPerTask": 250},
    }
    include = home / "include-team_a"
    write_app(include, OLD_CODE, name="frames", **shell, **once, template=many)
    one = {**cut, "params": {"partitioner": {"replicas": 1}}, "assembler": "passthrough"}
    write_app(include, KINDS, name="kinds", **once, template=one)
    framed = {"partitioner": "passthrough", "assembler": "passthrough", "inputs": {"glossary": None}}
    write_app(include, SHOWN, name="framed", **shell, **once, schema=FRAME, template=framed)
    write_app(home / "include-team_b", NEW_CODE, name="other", **shell, **once, template=one)


@contextmanager
def console_world(home: Path) -> Iterator[ConsoleWorld]:
    """Started; its jobs run in containers."""
    _write_blocks(home)
    includes = {team: home / f"include-{team}" for team in TEAMS}
    bundles = [team_bundle(home, team, include) for team, include in includes.items()]
    users = ",".join(["admin:admin", *(f"{name}:{about}" for name, about in USERS.items())])
    airflow = EmbeddedAirflow(
        home,
        PROJECT,
        {
            "AIRFLOW__CORE__MULTI_TEAM": "true",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "AIRFLOW__TRIPTYCH__INCLUDE": ":".join(map(str, includes.values())),
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
        },
    )
    for arguments in (["db", "migrate"], *(["teams", "create", team] for team in TEAMS)):
        command = [sys.executable, "-m", "airflow", *arguments]
        subprocess.run(command, env=airflow.env, cwd=home, check=True, capture_output=True)
    with airflow:
        passwords = json.loads((home / "passwords.json").read_text())
        airflow.client.wait_for_dag("kinds")
        yield ConsoleWorld(airflow, passwords, includes["team_a"], airflow.client.trigger("kinds", {}))
