"""Who is told of a job's end, by Airflow's notifiers from its DAG processor: servers of the test's own listen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import unquote

import pytest
from aiosmtpd.controller import Controller

from tests.support.servers import free_ports
from triptych.demo.embedded import EmbeddedAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
WAIT_S = 120


@contextmanager
def _listening(posted: Queue[tuple[str, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Mailbox:
    def __init__(self, mails: Queue[tuple[list[str], Message]]) -> None:
        self._mails = mails

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        self._mails.put((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@contextmanager
def _connections(airflow: EmbeddedAirflow, *made: dict[str, Any]) -> Iterator[None]:
    for each in made:
        airflow.client.call("POST", "connections", each)
    yield
    for each in made:
        airflow.client.call("DELETE", f"connections/{each['connection_id']}")


def test_a_failure_is_told_with_its_reason_and_its_repair_as_a_success(airflow: EmbeddedAirflow) -> None:
    posted: Queue[tuple[str, Any]] = Queue()
    slacked: Queue[tuple[str, Any]] = Queue()
    mails: Queue[tuple[list[str], Message]] = Queue()
    (port,) = free_ports(1)
    mailbox = Controller(_Mailbox(mails), hostname="127.0.0.1", port=port)
    mailbox.start()
    client = airflow.client
    try:
        with _listening(posted) as hook, _listening(slacked) as slack:
            plain = json.dumps({"disable_tls": True, "disable_ssl": True, "from_email": "airflow@example.org"})
            with _connections(
                airflow,
                {"connection_id": "hook", "conn_type": "http", "host": hook},
                {"connection_id": "mail", "conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": plain},
                {"connection_id": "slack", "conn_type": "slackwebhook", "host": slack, "password": "T0/B0/x"},
            ):
                run_id = client.trigger("telling", {"name": "{{ 7 * 7 }} <b>"})
                assert client.wait_for_run("telling", run_id) == "failed"
                path, told = posted.get(timeout=WAIT_S)
                recipients, mail = mails.get(timeout=WAIT_S)
                _, slack_told = slacked.get(timeout=WAIT_S)
                tolerant = {"name": "fine", "config": {"toleratedFailurePercentage": 50}}
                second = client.trigger("telling", tolerant)
                assert client.wait_for_run("telling", second) == "success"
                _, fine = posted.get(timeout=WAIT_S)
    finally:
        mailbox.stop()
    assert path == "/jobs"
    assert {key: told[key] for key in ("state", "dag_id", "run_id", "name", "chunks", "done", "failed", "waiting")} == {
        "state": "failed",
        "dag_id": "telling",
        "run_id": run_id,
        "name": "{{ 7 * 7 }} <b>",
        "chunks": 3,
        "done": 2,
        "failed": 1,
        "waiting": 0,
    }
    assert "1 of 3 chunk(s) failed" in told["reason"]
    assert "chunk 1: " in told["reason"]
    assert "about to fail" in told["reason"]
    assert unquote(told["url"]).endswith(f"/dags/telling/runs/{run_id}")
    assert recipients == ["ops@example.org"]
    html = "".join(str(part.get_payload(decode=True)) for part in mail.walk())
    assert "{{ 7 * 7 }} &lt;b&gt; (telling) failed" in html
    assert slack_told["text"].startswith("Job {{ 7 * 7 }} &lt;b&gt; (telling) failed")
    assert (fine["state"], fine["failed"], fine["reason"]) == ("success", 1, "")
    assert unquote(fine["output"]).endswith(f"/outputs/telling/{second}/")
    assert fine["files"] == 2
    assert {owner.strip() for owner in client.get("dags/telling")["owners"]} == {"science"}
