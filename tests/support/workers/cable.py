"""The one cable of a machine that is a network namespace: some ports of its loopback lead to those of ours.

    python cable.py 8080 5432 ...

Makes the namespace, prints a path by which others enter it, and carries bytes until it is ended. A process that is
stopped (SIGSTOP) is a cable that is cut: what was sent is never answered, and nobody is told; SIGCONT mends it. After
SIGUSR1 what is asked at the first port alone is never answered. No address, bridge or name comes to be on this
machine: a namespace goes with its last process.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress

_NEW_NETWORK = 0x40000000
_SET_FLAGS, _UP = 0x8914, 1
_BLOCK = 1 << 16


def main(ports: Sequence[int]) -> None:
    """Until it is killed."""
    libc = ctypes.CDLL(None, use_errno=True)
    ours = os.open("/proc/self/ns/net", os.O_RDONLY)
    if libc.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "no network namespace can be made")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    inner = os.open("/proc/self/ns/net", os.O_RDONLY)
    # A socket stays in the namespace that it was made in: these listen there, and what they ask is asked here.
    listening = [socket.create_server(("127.0.0.1", port), backlog=256) for port in ports]
    if libc.setns(ours, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "no way back from the network namespace")
    print(f"/proc/{os.getpid()}/fd/{inner}", flush=True)
    asyncio.run(_serve(listening, ports))


async def _serve(listening: Sequence[socket.socket], ports: Sequence[int]) -> None:
    joined = [_Joined(port) for port in ports]
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, joined[0].deafen)
    servers = [await asyncio.start_server(ends, sock=each) for each, ends in zip(listening, joined, strict=True)]
    await asyncio.gather(*(server.serve_forever() for server in servers))


class _Joined:
    """Joins each connection with one of its own to the same port of this side."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_deaf = False
        self._open: set[asyncio.Task[None] | None] = set()  # The loop itself holds tasks by weak references alone.

    def deafen(self) -> None:
        """Take what comes from now on, and answer nothing."""
        self._is_deaf = True

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(asyncio.current_task())
        try:
            await self._join(reader, writer)
        finally:
            self._open.remove(asyncio.current_task())

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_deaf:
            await asyncio.get_running_loop().create_future()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, back), _carry(there, writer))
        for each in (writer, back):
            each.close()
            with suppress(OSError):
                await each.wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that comes; then say that no more does."""
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


if __name__ == "__main__":
    main([int(port) for port in sys.argv[1:]])
