"""Requests that nobody should send, to each endpoint that an OpenAPI document describes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

ODD: Sequence[Any] = (
    None,
    True,
    -1,
    0,
    1.5,
    "",
    "x",
    "\0",
    "\ud800",
    "../..",
    "~",
    "%2F",
    "9" * 30,
    [],
    [1],
    {},
    {"a": None},
    "é" * 300,
)


def send_odd(base: str, token: str, known: str, below: str = "/", times: int = 12) -> int:
    """Odd paths, queries and bodies of the keys that each endpoint names: nothing fails. How many were sent.

    `known` is an id that is one of something's.
    """
    chance = random.Random(16)
    described = httpx.get(f"{base}/openapi.json", timeout=60).json()
    calls = 0
    with httpx.Client(timeout=60) as client:
        for path, acts in described["paths"].items():
            for method, about in acts.items():
                if path == "/customer/events" or not path.startswith(below):
                    continue
                for _ in range(times):
                    url = _filled(path, about, chance, known)
                    body = _body(about, chance)
                    headers = {"Authorization": token, "Content-Type": "application/json"}
                    answer = client.request(method, f"{base}{url}", content=body, headers=headers)
                    assert answer.status_code < 500, f"{method} {url} {body!r}: {answer.status_code} {answer.text}"
                    assert answer.status_code < 300 or answer.status_code == 404 or answer.json()["message"]
                    calls += 1
    return calls


def _filled(path: str, about: Mapping[str, Any], chance: random.Random, draft: str) -> str:
    query = []
    for each in about.get("parameters", ()):
        text = str(chance.choice((*ODD, draft, "count", "count~x", "~count"))).encode("utf-8", "replace").decode()
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", quote(text, safe="") or "x")
        else:
            query.append(f"{each['name']}={quote(text)}")
    return f"{path}?{'&'.join(query)}"


def _body(about: Mapping[str, Any], chance: random.Random) -> bytes:
    content = about.get("requestBody", {}).get("content", {}).get("application/json", {})
    keys = list(content.get("schema", {}).get("properties", {})) or ["x"]
    whole = {key: chance.choice((*ODD, "count", {"app": chance.choice(ODD)})) for key in keys if chance.random() < 0.6}
    texts = (
        b"",
        b"{",
        b"[" * 5000,
        b"\xff",
        b"NaN",
        b"1e999",
        b'{"config": 1e400}',
        b'"x"',
        b"null",
        json.dumps(whole).encode(),
    )
    return chance.choice(texts) if chance.random() < 0.3 else json.dumps(whole).encode()
