"""The guard of this folder's tests sees, and stops, what a client would ask beyond this machine."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from tests.support.only_loopback import expecting_attempts

METADATA = "169.254.169.254"
NAME = "metadata.google.internal"


def test_a_look_up_a_connection_and_a_datagram_elsewhere_are_stopped() -> None:
    with expecting_attempts() as asked:
        with pytest.raises(socket.gaierror, match="beyond this machine"):
            socket.getaddrinfo(NAME, 80)
        with pytest.raises(ConnectionRefusedError, match="beyond this machine"):
            socket.create_connection((METADATA, 80), timeout=1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, pytest.raises(ConnectionRefusedError):
            datagrams.sendto(b"x", ("192.0.2.1", 53))
        with socket.socket(socket.AF_INET6) as plain, pytest.raises(ConnectionRefusedError):
            plain.connect_ex(("fd00:ec2::254", 80))
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(f"http://{NAME}/", timeout=1)
    assert asked == [
        f"socket.getaddrinfo {NAME}",
        f"socket.connect {METADATA}",
        "socket.sendto 192.0.2.1",
        "socket.connect fd00:ec2::254",
        f"socket.getaddrinfo {NAME}",
    ]


def test_this_machine_and_what_is_an_address_already_are_not() -> None:
    with expecting_attempts() as asked:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            pass
        for host in ("localhost", "127.0.0.1", "0x7f.1", "::1", METADATA, None):
            socket.getaddrinfo(host, 80)
        left, right = socket.socketpair()
        with left, right:
            left.sendall(b"x")
    assert asked == []


def test_amazons_client_without_credentials_would_ask_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the guard is for: it asks a link-local address, and keeps to itself that there was no answer."""
    from botocore.credentials import InstanceMetadataProvider
    from botocore.utils import InstanceMetadataFetcher

    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with expecting_attempts() as asked:
        provider = InstanceMetadataProvider(InstanceMetadataFetcher(timeout=1, num_attempts=1))
        assert provider.load() is None
    assert set(asked) == {f"socket.connect {METADATA}"}
