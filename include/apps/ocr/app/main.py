"""Reads the pages of one chunk: a tar of images in, `<name of the page>.txt` (or another result) out, by Tesseract."""

import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

SUFFIXES = {"alto": "xml"}
"""Of Tesseract's files, where it is not the result's name."""
ONE_THREAD = {**os.environ, "OMP_THREAD_LIMIT": "1"}
"""As many as the manifest's `min_cpu`: Tesseract's own four wait for each other more than they read."""


def read_page(page: Path, target: Path, params: dict) -> Path:
    result = params.get("result", "txt")
    options = ["-l", params.get("languages", "eng"), "--psm", str(params.get("layout", 3))]
    if params.get("dpi"):
        options += ["--dpi", str(params["dpi"])]
    command = ["tesseract", str(page), str(target), *options, result]
    done = subprocess.run(command, env=ONE_THREAD, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{page.name}: {done.stderr.strip()}")
    return Path(f"{target}.{SUFFIXES.get(result, result)}")


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    results = Path(os.environ["TASK_RESULTS_DIR"])
    with tarfile.open(Path(os.environ["TASK_DIR"], "data.bin")) as pages, tempfile.TemporaryDirectory() as scratch:
        for member in pages:
            inside = Path(member.name)
            page = Path(scratch, inside.name)
            page.write_bytes(pages.extractfile(member).read())
            target = results / inside.with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            written = read_page(page, target, params)
            print(f"{inside}: {written.stat().st_size} bytes of {written.suffix[1:]}")


if __name__ == "__main__":
    main()
