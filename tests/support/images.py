"""Images that hold one static program, which is their shell."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping

import pytest


def shell_image(files: Mapping[str, bytes] | None = None) -> bytes:
    """A tar to import as an image: busybox, linked to /bin/sh, and these files; skips the test where it is not here."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("no `busybox`: apt-get install busybox-static")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.add(program, "bin/busybox")
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        archive.addfile(link)
        for name, content in (files or {}).items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return data.getvalue()


def saved_image(tag: str) -> bytes:
    """`shell_image`, as an engine saves it under this tag: whoever loads it has the same image, by its id."""
    subprocess.run(["docker", "import", "-", tag], input=shell_image(), check=True, capture_output=True)
    try:
        return subprocess.run(["docker", "save", tag], check=True, capture_output=True).stdout
    finally:
        subprocess.run(["docker", "rmi", "--force", tag], check=True, capture_output=True)
