"""Which addresses count as public: by IANA's special-purpose registries, not by what this Python knows of them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from triptych.storage.http.addresses import AddressRefusedError, Reach, is_public

PUBLIC = ("1.1.1.1", "93.184.215.14", "192.0.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")
# One of each block of RFC 6890, its successors, and of multicast.
INSIDE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:101:101::1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_anybody_reaches_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_what_lies_inside_is_not(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(AddressRefusedError):
        Reach([]).permitted(address, 80)


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", True),  # Public anyway.
        ("10.0.0.0/8", "192.168.0.1", False),
        ("fd00::/8", "fd00::1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("LocalHost", "LOCALHOST", True),
        ("localhost", "127.0.0.1", False),
    ],
)
def test_what_an_operator_allows_is_reached(allowed: str, host: str, is_allowed: bool) -> None:
    if is_allowed:
        assert Reach([allowed]).permitted(host, 80)
    else:
        with pytest.raises(AddressRefusedError, match="allowed_addresses"):
            Reach([allowed]).permitted(host, 80)
