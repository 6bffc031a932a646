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

Attached = socket.SocketIO | socket.socket
"""What `attach_socket` gives: a file object around a socket; over TLS the socket itself."""
_HEADER_BYTES = 8
"""Of each frame of what the engine sends: the stream's number, three zero bytes, and the frame's size, big endian."""
_MOST_BYTES = 1 << 16


def output(stream: Attached) -> Iterator[tuple[int, bytes]]:
    """What the container writes as it comes, until it ends: 1 (standard output) or 2 (error), and a piece."""
    # Not docker-py's `frames_iter`: it waits for the socket, while what TLS has decrypted already waits for it.
    below = _socket(stream)
    below.settimeout(None)
    while len(header := _exactly(below, _HEADER_BYTES)) == _HEADER_BYTES:
        left = int.from_bytes(header[4:], "big")
        while left and (data := below.recv(min(left, _MOST_BYTES))):
            left -= len(data)
            yield header[0], data


def _exactly(below: socket.socket, count: int) -> bytes:
    """So many bytes; fewer where the container has ended."""
    read = b""
    while len(read) < count and (data := below.recv(count - len(read))):
        read += data
    return read


def send(stream: Attached, data: bytes) -> None:
    """Write to the container's standard input; OSError when it has ended."""
    _socket(stream).sendall(data)


def break_off(stream: Attached) -> None:
    """End the connection, so that who reads from it, in another thread, comes to its end (it may be closing it)."""
    below: socket.socket | None = _socket(stream)
    if below is not None:  # As it is once a stream was closed.
        with suppress(OSError):
            below.shutdown(socket.SHUT_RDWR)


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
