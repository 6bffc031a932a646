"""A network of one's own, in which this is run: public and private addresses, and a resolver that changes its mind.

`python -m tests.attacks.addresses` in a network namespace where only `lo` is, and is up, prints what each URI led to.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.web_pages import Page, WebPages, web_pages
from triptych.errors import TriptychError
from triptych.settings import read_settings
from triptych.storage import Stores

PUBLIC = "93.184.215.14"
INSIDE = ("10.1.2.3", "169.254.169.254", "127.0.0.1", "::1", "fd00::5")
NAMES: Mapping[str, Sequence[Sequence[str]]] = {
    "public.example": [[PUBLIC]],
    "inside.example": [["10.1.2.3"]],
    "metadata.example": [["169.254.169.254"]],
    "both.example": [["10.1.2.3", PUBLIC]],
    "turning.example": [[PUBLIC], ["169.254.169.254"]],
}
"""The addresses that each name has, one set per query, over and over."""
DIRECT = (
    "http://10.1.2.3/",
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://127.1/",
    "http://0/",
    "http://localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[fd00::5]/",
    "http://inside.example/",
    "http://INSIDE.example./",
    "http://metadata.example/",
)
REDIRECTS = {
    "/to-metadata": "http://169.254.169.254/",
    "/to-name": "http://inside.example/",
    "/to-v6": "http://[::1]/",
    "/to-same-scheme": "//127.0.0.1/",
    "/to-redirect": "/to-metadata",
}


@contextmanager
def _resolver() -> Iterator[list[str]]:
    """Answers queries for IPv4 addresses of NAMES at 127.0.0.1:53; gives the names that were asked for."""
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, tempfile.NamedTemporaryFile("w") as about:
        listener.bind(("127.0.0.1", 53))
        about.write("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
        about.flush()
        subprocess.run(["mount", "--bind", about.name, "/etc/resolv.conf"], check=True)
        threading.Thread(target=_serve, args=(listener, asked), daemon=True).start()
        yield asked


def _serve(listener: socket.socket, asked: list[str]) -> None:
    while True:
        query, client = listener.recvfrom(512)
        labels, position = [], 12
        while size := query[position]:
            labels.append(query[position + 1 : position + 1 + size].decode())
            position += size + 1
        name, (asked_for,) = ".".join(labels).lower(), struct.unpack(">H", query[position + 1 : position + 3])
        found: Sequence[str] = ()
        if asked_for == 1 and name in NAMES:
            found = NAMES[name][asked.count(name) % len(NAMES[name])]
            asked.append(name)
        # No such name (3), or the addresses, which are good for no second.
        flags = 0x8180 | (0 if name in NAMES else 3)
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + query[12 : position + 5]
        each = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(address) for address in found]
        listener.sendto(head + b"".join(each), client)


def _led_to(stores: Stores, uri: str) -> str:
    try:
        return stores.open(uri).read(uri).decode()
    except TriptychError as error:
        return f"{type(error).__name__}: {error}"


def _counted(inside: Sequence[WebPages], ask: Callable[[], object]) -> tuple[object, int]:
    before = sum(each.connections for each in inside)
    said = ask()
    return said, sum(each.connections for each in inside) - before


def main() -> None:
    """Print each URI with what it led to, and how many connections the servers inside saw."""
    for address in (PUBLIC, *INSIDE[:2], INSIDE[-1]):
        subprocess.run(["ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo"], check=True)
    with ExitStack() as stack:
        asked = stack.enter_context(_resolver())
        public = stack.enter_context(web_pages(PUBLIC, 80))
        public.pages = {"/": Page(b"public"), **{path: Page(redirect=to) for path, to in REDIRECTS.items()}}
        inside = [stack.enter_context(web_pages(address, 80)) for address in INSIDE]
        for each in inside:
            each.pages = {"/": Page(b"inside"), "/latest/meta-data/": Page(b"inside")}
        settings = read_settings({"scratch": str(Path(tempfile.gettempdir(), "none"))})

        def led(uri: str, allowed: tuple[str, ...] = (), is_own_machine: bool = False) -> tuple[object, int]:
            told = dataclasses.replace(settings, allowed_addresses=allowed, is_own_machine=is_own_machine)
            return _counted(inside, lambda: _led_to(Stores(told), uri))

        found = {
            "direct": {uri: led(uri) for uri in DIRECT},
            "redirects": {path: led(f"http://public.example{path}") for path in REDIRECTS},
            "public": led("http://public.example/"),
            "both": led("http://both.example/"),
            "turning": [led("http://turning.example/") for _ in range(4)],
            "queries for turning": asked.count("turning.example"),
            "allowed network": led("http://inside.example/", ("10.1.0.0/16",)),
            "allowed host": led("http://metadata.example/", ("metadata.example",)),
            "allowed other": led("http://inside.example/", ("10.2.0.0/16", "metadata.example")),
            "own machine": led("http://127.0.0.1/", is_own_machine=True),
            "own machine, led on": led("http://public.example/to-metadata", is_own_machine=True),
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
