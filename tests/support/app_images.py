"""Images of the apps that bring a Dockerfile, built as their users build them; Docker's layers make that quick."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from triptych.settings import PROJECT

APPS = PROJECT / "include" / "apps"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_TRUSTING = "FROM {1}\nCOPY ca-certificates.crt {0}\nENV PIP_CERT={0} SSL_CERT_FILE={0}{2}\n"
"""What this machine trusts, so that a proxy in front of a registry, which signs anew, does not end the build."""


def built_image(app: str, folder: Path) -> str:
    """The image that the app's manifest names; skips the test, which CI forbids, where it cannot be built."""
    image: str = json.loads((APPS / app / "manifest.json").read_text())["platform_config"]["container"]
    if not (APPS / app / "Dockerfile").exists():
        return image
    (base,) = re.findall(r"^ARG BASE=(\S+)$", (APPS / app / "Dockerfile").read_text(), re.MULTILINE)
    if CERTIFICATES.exists():
        folder.mkdir(parents=True, exist_ok=True)
        node = f" NODE_EXTRA_CA_CERTS={CERTIFICATES}" if base.startswith("node:") else ""
        (folder / "Dockerfile").write_text(_TRUSTING.format(CERTIFICATES, base, node))
        (folder / CERTIFICATES.name).write_bytes(CERTIFICATES.read_bytes())
        base = _built(f"triptych/tests-base-{base.partition(':')[0]}", folder)
    return _built(image, APPS / app, "--build-arg", f"BASE={base}")


def _built(image: str, folder: Path, *options: str) -> str:
    """By the engine's own network, else by the host's, where only that leads to the registries."""
    for network in ("default", "host"):
        command = ["docker", "build", "--network", network, *options, "--tag", image, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.returncode:
            return image
    words = (done.stdout + done.stderr).strip().splitlines()
    pytest.skip(f"{image} cannot be built, which needs a network: {' '.join(words[-3:])}")
