"""A port of this machine that leads to another, and goes silent as a network that is cut does: packets are lost.

A process that merely stops would not do: the kernel goes on acknowledging what it is sent. Here a filter of packets
drops whatever comes, the question whether anybody is alive among it, and attempts to connect.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ATTACH, _DETACH = 26, 27
"""SO_ATTACH_FILTER and SO_DETACH_FILTER of socket(7), which Python's module does not name."""
_DROP = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
"""A program of bpf(4) in one step: keep 0 bytes of the packet."""
_PROGRAM = struct.pack("@HP", 1, ctypes.addressof(_DROP))


class CutCable:
    """Joins each connection to `port` with one of its own to the other port, until it is cut."""

    def __init__(self, listener: socket.socket, other: int) -> None:
        self.port = int(listener.getsockname()[1])
        self._listener, self._other = listener, other
        self._whole = threading.Event()
        self._whole.set()
        self._joined: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def cut(self) -> None:
        """From now on nothing that is sent either way arrives, and nobody is told."""
        with self._lock:
            self._whole.clear()
            for each in (self._listener, *(near for near, _ in self._joined)):
                each.setsockopt(socket.SOL_SOCKET, _ATTACH, _PROGRAM)

    def mend(self) -> None:
        """What connects now gets through; what was joined before has been forgotten on the way."""
        with self._lock:
            self._listener.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
            self._forget()
            self._whole.set()

    def close(self) -> None:
        """End it, and all that it joins."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._forget()
            self._whole.set()
        for each in self._threads:
            each.join()

    def _forget(self) -> None:
        for pair in self._joined:
            for each in pair:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._joined.clear()

    def start(self) -> None:
        """Take connections, in a thread of its own."""
        self._run(self._accept)

    def _run(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # It was shut down.
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._other))
                with self._lock:
                    self._joined.append((near, far))
                self._run(self._join, near, far)

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=self._carry, args=(far, near))
        back.start()
        self._carry(near, far)
        back.join()
        with self._lock, suppress(ValueError):
            self._joined.remove((near, far))
        near.close()
        far.close()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        """All that comes, while the cable is whole; then say that no more does."""
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._whole.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def cut_cable(other: int) -> Iterator[CutCable]:
    """One to this port of the machine's own, whole at first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        cable = CutCable(listener, other)
        cable.start()
        try:
            yield cable
        finally:
            cable.close()
