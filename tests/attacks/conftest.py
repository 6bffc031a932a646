"""The three workers that every attack is tried on, each started once per session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.attacks.worker import MODES, Worker, attacked_worker

SECRETS = {
    "AIRFLOW_CONN_VAULT": '{"conn_type": "generic", "login": "the-login", "password": "pa55 \\"w0rd\\"/+\\u00e9$x"}',
}
"""Airflow connections that attacks' manifests may name as their secrets."""


@pytest.fixture(scope="session", params=MODES)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker of each mode."""
    mode = request.param
    if mode == "root" and os.getuid() != 0:
        pytest.skip("a root worker needs root")
    if mode == "user" and os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("no setpriv here: apt-get install util-linux")
    with attacked_worker(mode, SECRETS) as worker:
        yield worker
