"""A block's containers have no network but one that the operator listed, and never the host's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import read_catalog
from triptych.blocks.networks import network_of
from triptych.errors import ConfigError, ManifestError
from triptych.settings import read_settings

HOSTS = [
    "host",
    "HOST",
    "Host",
    " host",
    "host ",
    "host\n",
    "container:victim",
    "container:0f3a",
    "Container:x",
    "ns:/x",
]
HOSTS += ["service:db", "/proc/1/ns/net", "-x", "a b", "slirp4netns:allow_host_loopback=true", "host,bridge"]


@pytest.mark.parametrize("network", HOSTS)
@pytest.mark.parametrize("key", ["network", "Network"])
def test_the_hosts_network_and_containers_are_refused(tmp_path: Path, network: str, key: str) -> None:
    folder = write_app(tmp_path, "").app.folder
    about = json.loads((folder / "manifest.json").read_text())
    about["platform_config"][key] = network
    (folder / "manifest.json").write_text(json.dumps(about))
    (error,) = read_catalog([tmp_path]).errors
    assert error.location == f"$.platform_config.{key}"
    assert "must be the name of a network, never the host's own nor another container's" in error.message


@pytest.mark.parametrize("network", ["host", "Host", "container:victim", "ns:/proc/1/ns/net", "a b"])
@pytest.mark.parametrize("key", ["network", "allowed_networks"])
def test_no_setting_gives_the_hosts_network(key: str, network: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[triptych\] {key} = "):
        read_settings({key: f"bridge, {network}" if key == "allowed_networks" else network})


@pytest.mark.parametrize(
    ("configured", "network", "allowed"),
    [
        ({}, None, True),
        ({}, "none", True),
        ({}, "bridge", False),
        ({}, "default", False),
        ({"network": "apps"}, "apps", True),
        ({"network": "apps"}, "none", True),
        ({"network": "apps"}, "bridge", False),
        ({"allowed_networks": "bridge, db"}, "db", True),
        ({"allowed_networks": "bridge, db"}, "DB", False),
        ({"allowed_networks": "bridge, db"}, "d", False),
    ],
)
def test_a_network_that_nobody_listed_is_refused(
    tmp_path: Path, configured: dict[str, str], network: str | None, allowed: bool
) -> None:
    app = dataclasses.replace(write_app(tmp_path, "").app, network=network)
    if allowed:
        assert network_of(app, read_settings(configured)) == (network or configured.get("network", "none"))
    else:
        with pytest.raises(ManifestError, match=r"An operator can list it in \[triptych\] allowed_networks"):
            network_of(app, read_settings(configured))
