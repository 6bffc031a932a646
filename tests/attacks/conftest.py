"""The three workers that every attack is tried on, each started once per session, and images that ask for more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import docker
import pytest

from tests.attacks.worker import IMAGE, MODES, Worker, attacked_worker

ROOT_ALLOWED = "triptych-attacks/allowed-root"
"""The only repository whose images may run as root here."""
SETTINGS = {
    "AIRFLOW__TRIPTYCH__ROOT_IMAGES": f"registry.example.com/other, {ROOT_ALLOWED}",
    "AIRFLOW_CONN_VAULT": '{"conn_type": "generic", "login": "the-login", "password": "pa55 \\"w0rd\\"/+\\u00e9$x"}',
}
"""Configuration of all three, with an Airflow connection that attacks' manifests may name as a secret."""
BECOMES_ROOT = "echo friendly:x:0:0::/:/bin/sh >> /etc/passwd; useradd --uid 1234 --gid 100 honest"
IS_OPEN = "mkdir -m 1777 /open"
"""A folder of the image's own that everybody may write to, where its container's root can be written to."""
USERS = {
    "triptych-attacks/root": "root",
    "triptych-attacks/zero": "+0:100",
    "triptych-attacks/friendly": "friendly",
    "triptych-attacks/honest": "honest",
    ROOT_ALLOWED: "root",
}
"""Images by repository, and their USER."""


@pytest.fixture(scope="session", params=MODES)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker of each mode."""
    mode = request.param
    if mode == "root" and os.getuid() != 0:
        pytest.skip("a root worker needs root")
    if mode == "user" and os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("no setpriv here: apt-get install util-linux")
    with attacked_worker(mode, SETTINGS) as worker:
        yield worker


@pytest.fixture(scope="session")
def images() -> Iterator[Sequence[str]]:
    """The images of USERS, each with Python."""
    with closing(docker.APIClient(version="auto")) as engine, _prepared(engine) as container:
        made = [
            engine.commit(container, name, changes=[f"USER {user}", "CMD []"])["Id"] for name, user in USERS.items()
        ]
        try:
            yield list(USERS)
        finally:
            for image in made:
                engine.remove_image(image, force=True)


@contextmanager
def _prepared(engine: Any) -> Iterator[str]:
    """A container of IMAGE in which `friendly` is another name of root's, `honest` is a user, and /open is open."""
    alone = engine.create_host_config(network_mode="none")
    script = ("sh", "-euc", f"{BECOMES_ROOT}; {IS_OPEN}")
    container = engine.create_container(IMAGE, script, host_config=alone, labels={"triptych.test": "attacks"})["Id"]
    try:
        engine.start(container)
        assert engine.wait(container)["StatusCode"] == 0
        yield container
    finally:
        engine.remove_container(container, force=True)
