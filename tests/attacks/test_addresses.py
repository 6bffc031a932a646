"""A source that names, is called like, or leads to what only the worker can reach; tried in a network of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.attacks.addresses import DIRECT, REDIRECTS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network")
REFUSED = "StorageAccessError: "


@pytest.fixture(scope="module")
def led() -> Any:
    """What each URI led to, and how many connections were made to servers inside."""
    command = 'ip link set lo up && exec "$0" -m tests.attacks.addresses'
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", command, sys.executable],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("uri", DIRECT)
def test_no_spelling_of_an_address_inside_leads_there(led: Any, uri: str) -> None:
    said, connections = led["direct"][uri]
    assert said.startswith(REFUSED)
    assert "allowed_addresses" in said
    assert connections == 0


@pytest.mark.parametrize("path", REDIRECTS)
def test_no_redirect_leads_inside(led: Any, path: str) -> None:
    said, connections = led["redirects"][path]
    assert said.startswith(REFUSED)
    assert connections == 0


def test_what_is_public_is_reached(led: Any) -> None:
    assert led["public"] == ["public", 0]
    assert led["both"] == ["public", 0]


def test_a_name_that_leads_elsewhere_a_moment_later_leads_nowhere(led: Any) -> None:
    # The resolver turns with each query: who asked it twice, to check and to connect, would have come inside.
    said = [said for said, _ in led["turning"]]
    assert said[0] == said[2] == "public"
    assert said[1].startswith(REFUSED)
    assert said[3].startswith(REFUSED)
    assert led["queries for turning"] == 4
    assert sum(connections for _, connections in led["turning"]) == 0


def test_an_operator_allows_a_network_or_a_host(led: Any) -> None:
    assert led["allowed network"] == ["inside", 1]
    assert led["allowed host"] == ["inside", 1]
    said, connections = led["allowed other"]
    assert said.startswith(REFUSED)
    assert connections == 0


def test_on_ones_own_machine_a_redirect_still_leads_nowhere_inside(led: Any) -> None:
    assert led["own machine"] == ["inside", 1]
    said, connections = led["own machine, led on"]
    assert said.startswith(REFUSED)
    assert connections == 0
