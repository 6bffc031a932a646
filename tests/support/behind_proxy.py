"""Airflow below a path of another server, as teams have it: `[api] base_url = https://host/airflow`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.servers import free_ports, reverse_proxy
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow

PATH = "/airflow"
START_S = 240
"""Of an API server, on a machine that does other things, too."""


@contextmanager
def behind_proxy(airflow: EmbeddedAirflow, folder: Path) -> Iterator[str]:
    """One more API server of this Airflow, behind nginx; gives the base URL, which ends in PATH."""
    folder.mkdir()
    inner, outer = free_ports(2)
    base = f"http://127.0.0.1:{outer}{PATH}"
    settings = {"AIRFLOW__API__BASE_URL": base, "AIRFLOW__API__PORT": str(inner)}
    with (folder / "api-server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"],
            env={**airflow.env, **settings},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        with reverse_proxy(folder, outer, PATH, f"http://127.0.0.1:{inner}"):
            ready = poll(lambda: server.poll() is None and _is_well(base), START_S, 0.5)
            assert ready, (folder / "api-server.log").read_text(errors="replace")[-2000:]
            yield base
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _is_well(base: str) -> bool:
    try:
        return httpx.get(f"{base}/api/v2/monitor/health", timeout=20).status_code == 200
    except httpx.HTTPError:
        return False
