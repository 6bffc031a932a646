"""A guard over this process: whoever asks for an address that is not this machine's own is stopped, and on record.

Python tells audit hooks of every connection, datagram and look-up of a name before it is made. Whoever looks for
credentials swallows the error of an attempt, so it is the record that counts. It stands for this process alone.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

_LOCAL_NAMES = ("", "localhost")
_BY_ADDRESS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_BY_NAME = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


@cache
def attempts() -> list[str]:
    """What was asked for beyond this machine since the list was last emptied; the guard stands from the first call."""
    made: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        asked = _asked(event, arguments)
        if asked is None or _is_ours(asked):
            return
        made.append(f"{event} {asked}")
        msg = f"No test asks for an address beyond this machine: {made[-1]}."
        # What a machine without a network answers.
        raise socket.gaierror(socket.EAI_NONAME, msg) if event in _BY_NAME else ConnectionRefusedError(msg)

    sys.addaudithook(watch)
    return made


@contextmanager
def expecting_attempts() -> Iterator[list[str]]:
    """For a test in which another address is named: the list has the attempts of this context, which are no failure."""
    made, seen = attempts(), list[str]()
    before = len(made)
    try:
        yield seen
    finally:
        seen += made[before:]
        del made[before:]


def _asked(event: str, arguments: Sequence[object]) -> str | None:
    """The address, or the name that is to be looked up; None where a call has none.

    Such are a local socket, a datagram of a connected one, and the look-up of what is an address already.
    """
    if event in _BY_ADDRESS:
        address = arguments[1]
        return str(address[0]) if isinstance(address, tuple) else None
    if event in _BY_NAME and arguments[0] is not None:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
        return None if _parsed(host) else host
    return None


def _is_ours(host: str) -> bool:
    address = _parsed(host)
    return host.lower() in _LOCAL_NAMES if address is None else address.is_loopback or address.is_unspecified


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """`127.0.0.1`, `0x7f.1`, `::1%lo`; None of a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
