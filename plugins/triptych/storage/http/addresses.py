"""Which addresses `http://` and `https://` reach: public ones, and those that the operator allows."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Address("64:ff9b::")
"""Its /96 carries an IPv4 address, to which a gateway leads (RFC 6052)."""
_GLOBAL_UNICAST = ip_network("2000::/3")
"""All that IANA has given out of IPv6 to the public; what lies elsewhere carries IPv4, or is local."""
_SPECIAL = tuple(
    map(
        ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
"""IANA's special-purpose registries (RFC 6890), as far as the `is_global` of some Python takes them for public."""


class AddressRefusedError(Exception):
    """A connection was not made, for where it would have led. No OSError: urllib3 would try those again."""


def is_public(address: Address) -> bool:
    """Whether anybody on the internet is reached there: not this machine, its networks, or a cloud's metadata.

    An address that carries another in it (`::ffff:127.0.0.1`, NAT64) is what it carries.
    """
    plain = _carried(address)
    if isinstance(plain, IPv6Address) and plain not in _GLOBAL_UNICAST:
        return False
    return plain.is_global and not plain.is_multicast and not any(plain in network for network in _SPECIAL)


class Reach:
    """What connections may be made to; the check is of the address that the socket will have."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """`allowed` are networks (`10.1.0.0/16`), addresses and names of hosts, beside what is public."""
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for each in allowed:
            try:
                self._networks.append(ip_network(each))
            except ValueError:
                self.allow_host(each)

    def allow_host(self, host: str) -> None:
        """Whatever this name leads to may be reached from now on."""
        self._hosts.add(_plain_host(host))

    def permitted(self, host: str, port: int) -> Sequence[str]:
        """The addresses that the name has now and that may be reached, at least one, in the resolver's order.

        AddressRefusedError where there is none; socket.gaierror where the name has no address at all.
        """
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        good = [text for text in addresses if _plain_host(host) in self._hosts or self._is_open(ip_address(text))]
        if not good:
            leads = "" if host.strip("[]") in addresses else f", to which {host} leads,"
            msg = (
                f"{addresses[0]}{leads} is no public address. An operator can allow it, or its network, by "
                "[triptych] allowed_addresses."
            )
            raise AddressRefusedError(msg)
        return good

    def _is_open(self, address: Address) -> bool:
        return is_public(address) or any(_carried(address) in network for network in self._networks)


def _carried(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where that leads to it; else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if int(address) >> 32 == int(_NAT64) >> 32:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _plain_host(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
