"""Private parts of docker-py 7 that we touch, one function for each; `tests/unit/running` fails when they change.

What `APIClient.attach_socket` gives is a file object around a socket, made to be read only.

The socket is `stream._sock`, or, over TLS, the stream itself. docker-py sets `stream._response` so that the response it
came from lives as long as the stream; closing the stream closes neither (docker/api/client.py,
`_get_raw_response_socket`).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from docker.utils.socket import frames_iter

Attached = socket.SocketIO | socket.socket
"""What `attach_socket` gives: a file object around a socket; over TLS the socket itself."""


def output(stream: Attached) -> Iterator[tuple[int, bytes]]:
    """What the container writes as it comes, until it ends: 1 (standard output) or 2 (error), and a piece."""
    frames: Iterator[tuple[int, bytes]] = frames_iter(stream, tty=False)
    return frames


def send(stream: Attached, data: bytes) -> None:
    """Write to the container's standard input; OSError when it has ended."""
    _socket(stream).sendall(data)


def break_off(stream: Attached) -> None:
    """End the connection, so that who reads from it, in another thread, comes to its end."""
    with suppress(OSError):
        _socket(stream).shutdown(socket.SHUT_RDWR)


def hang_up(stream: Attached) -> None:
    """Close the stream, the HTTP response that docker-py reads it from, and the socket below both."""
    below = _socket(stream)
    response = getattr(stream, "_response", None)
    if response is not None:
        # urllib3 flushes what is a read-only stream here, closed already when the container ended first.
        with suppress(ValueError):
            response.close()
    stream.close()
    below.close()


def _socket(stream: Attached) -> socket.socket:
    return cast("socket.socket", getattr(stream, "_sock", stream))
