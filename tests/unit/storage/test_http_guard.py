"""The private part of urllib3 that we replace is what makes every connection, by TLS and without, as it was."""

from __future__ import annotations

import inspect

import pytest
import requests
from urllib3.connection import HTTPConnection, HTTPSConnection

from triptych.storage.http.addresses import AddressRefusedError, Reach
from triptych.storage.http.guard import GuardedAdapter


def test_connections_are_made_by_the_method_that_we_replace() -> None:
    for connect in (HTTPConnection.connect, HTTPSConnection.connect):
        assert "self._new_conn()" in inspect.getsource(connect)
    assert "self._dns_host, self.port" in inspect.getsource(HTTPConnection._new_conn)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_scheme_is_guarded(scheme: str) -> None:
    with requests.Session() as session:
        session.mount(f"{scheme}://", GuardedAdapter(Reach([])))
        with pytest.raises(AddressRefusedError, match="no public address"):
            session.get(f"{scheme}://127.0.0.1:9/")
