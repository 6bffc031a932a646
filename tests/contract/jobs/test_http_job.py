"""A job whose sources are a web server's, named and by a manifest, by the command; answers break off on the way."""

from __future__ import annotations

import random
from pathlib import Path
from urllib.parse import quote

from tests.support.command_line import command_line
from tests.support.include_folders import write_app
from tests.support.places import MIB
from tests.support.web_pages import Page, web_pages
from triptych.settings import PROJECT

COPY = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/$CHUNK_NAME"'
LARGE = random.Random(15).randbytes(10 * MIB + 7)
FILES = {"large.bin": LARGE, "empty.txt": b"", "two words #1 ü.txt": b"small", "unsized.bin": LARGE[:MIB]}


def test_bytes_come_from_a_web_server(tmp_path: Path) -> None:
    template = {"partitioner": "passthrough", "assembler": "passthrough"}
    write_app(tmp_path / "include", COPY, name="copied", entrypoint="main.sh", template=template)
    out = tmp_path / "out"
    with web_pages() as server:
        server.pages = {f"/in/{quote(name)}": Page(data) for name, data in FILES.items()}
        # The first is the answer to the question for the size, which has one byte.
        server.pages["/in/large.bin"].breaks_after = [1, 4 * MIB, 3 * MIB]
        server.pages["/in/unsized.bin"] = Page(FILES["unsized.bin"], {}, has_ranges=False, length="chunks")
        listed = [f"{server.url}/in/{quote(name)}" for name in [*FILES][1:]]
        server.pages["/list.txt"] = Page("\n".join(listed).encode())
        launch = ["run", "copied", "--quiet", "--runner", "process", "--workers", "2", "--destination", str(out)]
        launch += ["--source", f"{server.url}/in/large.bin", "--manifest", f"{server.url}/list.txt"]
        env = {
            "AIRFLOW__TRIPTYCH__SCRATCH": str(tmp_path / "scratch"),
            "TRIPTYCH_INCLUDE": f"{tmp_path / 'include'}:{PROJECT / 'include'}",
        }
        with command_line(env, tmp_path) as command:
            ended = command(*launch)
            assert ended.code == 0, ended.text
            found = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
            assert found == FILES
            resumed = [each.headers["range"] for each in server.asked if each.path == "/in/large.bin"][-2:]
            assert resumed == [f"bytes={start * MIB}-{len(LARGE) - 1}" for start in (4, 7)]
            # As a destination it is refused before anything is read.
            server.asked.clear()
            ended = command(*launch, "--destination", f"{server.url}/out/")
            assert ended.code == 6
            assert "neither a destination nor a workspace" in ended.text
            assert server.asked == []
