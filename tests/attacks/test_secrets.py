"""What an app prints of its secrets, by accident, leaves the worker nowhere."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from tests.attacks.worker import Worker

pytestmark = pytest.mark.docker
PASSWORD = 'pa55 "w0rd"/+é$x'
"""Of the connection `vault`, as `conftest.SETTINGS` has it."""
LEAKS = """
import base64, json, os, sys, urllib.parse
secret = os.environ["vault"]
assert secret == os.environ["vault_SECRET_KEY"] and os.environ["vault_ACCESS_KEY"] == "the-login"
open(os.environ["TASK_RESULTS_DIR"] + "/length", "w").write(str(len(secret)))
spelled = [secret, json.dumps({"key": secret}), repr(secret), urllib.parse.quote(secret, safe="")]
spelled.append(base64.b64encode(f"the-login:{secret}".encode()).decode())
for text in spelled:
    print(text, flush=True)
    print(text, file=sys.stderr, flush=True)
print("." * 8190 + secret + "." * 20_000, flush=True)
if os.environ["CHUNK_NUMBER"] == "1":
    raise ConnectionError(f"https://the-login:{secret}@example.com refused {json.dumps(secret)}")
"""


def test_a_secret_that_is_printed_is_masked_wherever_it_is_told(worker: Worker) -> None:
    """In the workspace's logs and records, in the list of the output, and by the command."""
    attacked = worker.attack(
        LEAKS,
        *("-p", "config.toleratedFailurePercentage=50"),
        source="one\ntwo\n",
        manifest={"platform_config": {"container": "python:3.11-slim", "secrets": ["vault"]}},
    )
    assert attacked.ended.code == 0, attacked.ended.text
    assert list(attacked.files.values()) == [str(len(PASSWORD)).encode()]
    [listed] = (attacked.output / "_triptych").rglob("*.json")
    assert "ConnectionError: https://the-login:***@example.com" in listed.read_text()
    told = (PASSWORD, json.dumps(PASSWORD)[1:-1], json.dumps(PASSWORD, ensure_ascii=False)[1:-1], quote(PASSWORD))
    twice = json.dumps(json.dumps(PASSWORD)[1:-1])[1:-1]
    basic = base64.b64encode(f"the-login:{PASSWORD}".encode()).decode()[15:-4]
    assert attacked.told(*told, twice, quote(PASSWORD, safe=""), basic) == []
    assert attacked.told("***") != []
