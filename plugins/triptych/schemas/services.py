"""The S3-compatible services that descriptors name: where each answers, by its region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""A region is part of a host's name."""


@dataclass(frozen=True)
class _Answers:
    """`endpoint` with the region in its braces; of no region, or one in `whole`, `central`. It signs for `signs`."""

    endpoint: str
    central: str | None
    whole: tuple[str, ...] = ()
    signs: str | None = None


_SERVICES: Mapping[str, _Answers | None] = {
    "s3": None,
    "gcp": _Answers("https://storage.googleapis.com", "https://storage.googleapis.com", signs="auto"),
    "storj": _Answers(
        "https://gateway.{}.storjshare.io", "https://gateway.storjshare.io", ("global",), signs="us-east-1"
    ),
    "wasabi": _Answers("https://s3.{}.wasabisys.com", "https://s3.wasabisys.com"),
    "backblaze": _Answers("https://s3.{}.backblazeb2.com", None),
}
"""As each says in its manual; Amazon's own client knows where Amazon answers."""
SERVICES = tuple(_SERVICES)
"""Their names, by which descriptors know them."""


@dataclass(frozen=True)
class Service:
    """One of SERVICES and a region of it: both count where an Airflow connection names no endpoint of its own."""

    name: str
    region: str | None = None

    @property
    def endpoint(self) -> str | None:
        """The URL that it answers at; None where the client knows it by the region."""
        answers = _SERVICES[self.name]
        if answers is None:
            return None
        is_central = self.region is None or self.region in answers.whole
        return answers.central if is_central else answers.endpoint.format(self.region)

    @property
    def signing_region(self) -> str | None:
        """What requests are signed for; None: as the connection says."""
        answers = _SERVICES[self.name]
        return (answers and answers.signs) or self.region


def needs_region(name: str) -> bool:
    """Whether the service of this name answers nowhere without a region."""
    answers = _SERVICES[name]
    return answers is not None and answers.central is None


def where(name: str) -> str:
    """The endpoint of the service of this name as a page tells it, empty where the client knows it."""
    answers = _SERVICES[name]
    return answers.endpoint.format("<region>") if answers else ""
