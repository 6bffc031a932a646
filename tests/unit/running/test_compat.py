"""What we touch of docker-py beyond its interface is still as it was, on a socket of our own instead of an engine's."""

from __future__ import annotations

import inspect
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from docker import APIClient

from tests.support.certificates import Authority
from triptych.running import compat


class Response:
    """As docker-py keeps one alive on the stream that it gives."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        raise ValueError("flush of a read-only stream")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two sockets, joined: ours and the container's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_docker_py_makes_its_stream_as_we_expect() -> None:
    source = inspect.getsource(vars(APIClient)["_get_raw_response_socket"])
    assert "sock._response = response" in source
    assert "sock = response.raw._fp.fp.raw" in source  # An `io` object around a socket, read only.
    assert "sock = sock._sock" in source  # Over TLS.


def test_input_goes_to_the_socket_below(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    stream = socket.SocketIO(ours, "rb")
    compat.send(stream, b"to the container\n")
    assert theirs.recv(100) == b"to the container\n"


def test_output_comes_with_the_number_of_its_stream(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    for stream_number, data in ((1, b"out"), (2, b"error"), (1, b"more")):
        theirs.sendall(bytes([stream_number, 0, 0, 0]) + len(data).to_bytes(4, "big") + data)
    theirs.shutdown(socket.SHUT_WR)
    assert list(compat.output(socket.SocketIO(ours, "rb"))) == [(1, b"out"), (2, b"error"), (1, b"more")]


def test_output_that_tls_has_decrypted_already_is_not_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    """Several frames in one record: nothing more comes through the socket itself, and it is not at its end."""
    ours, theirs = pair
    serving = Authority("a").pair("engine").server_context()
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    frames = b"".join(bytes([1, 0, 0, 0]) + (3).to_bytes(4, "big") + data for data in (b"one", b"two"))
    held: list[ssl.SSLSocket] = []

    def serve() -> None:
        held.append(serving.wrap_socket(theirs, server_side=True))
        held[0].sendall(frames)

    server = threading.Thread(target=serve)
    server.start()
    with asking.wrap_socket(ours) as client:
        server.join(60)
        waited_for = threading.Event()

        def give_up() -> None:
            waited_for.set()
            compat.break_off(client)

        given_up = threading.Timer(30, give_up)
        given_up.start()
        output = compat.output(client)
        assert [next(output), next(output)] == [(1, b"one"), (1, b"two")]
        assert not waited_for.is_set()
        given_up.cancel()
    held[0].close()


def test_breaking_off_ends_who_reads(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    stream = socket.SocketIO(ours, "rb")
    reader = threading.Thread(target=lambda: list(compat.output(stream)))
    reader.start()
    compat.break_off(stream)
    reader.join(60)
    assert not reader.is_alive()
    assert theirs.recv(100) == b""
    compat.break_off(stream)  # Once more does no harm.


def test_hanging_up_closes_stream_response_and_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    stream = socket.SocketIO(ours, "rb")
    response = Response()
    stream._response = response  # type: ignore[attr-defined]  # as docker-py does
    compat.hang_up(stream)
    assert stream.closed
    assert response.is_closed
    assert theirs.recv(100) == b""  # The end: the other side is closed.
    compat.break_off(stream)  # As a stop may, that was asked for meanwhile.
