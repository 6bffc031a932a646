"""A web server as source, and of a side input, through a real Airflow: where it is allowed, by a connection."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from tests.e2e.conftest import WEB_HOST, WEB_PORT
from tests.support.servers import LOGIN, PASSWORD
from tests.support.web_pages import Page, web_pages
from triptych.demo.embedded import EmbeddedAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.docker]


def test_a_job_reads_a_web_server_that_is_allowed(airflow: EmbeddedAirflow) -> None:
    out = airflow.home / "out-web"
    with web_pages(WEB_HOST, WEB_PORT) as server:
        server.pages["/two%20words.txt"] = Page(b"read by http")
        source = {"uri": f"{server.url}/two%20words.txt", "conn_id": "web"}
        run_id = airflow.client.trigger("upper", {"dataSource": source, "dataDestination": out.as_uri()})
        assert airflow.client.wait_for_run("upper", run_id) == "success", airflow.client.log(
            "upper", run_id, "partition"
        )
        assert (out / "output.txt").read_text() == "READ BY HTTP"
        login = "Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        assert {each.headers.get("authorization") for each in server.asked} == {login}


def test_side_inputs_reach_engine_and_containers_and_are_fetched_once(airflow: EmbeddedAirflow) -> None:
    """The form has a field for each, with the template's default; a caller's folder comes by such a field."""
    fields = airflow.client.get("dags/aided/details")["params"]
    assert fields["inputs.words"]["value"] == {"uri": f"http://{WEB_HOST}:{WEB_PORT}/words.txt", "conn_id": "web"}
    assert fields["inputs.extra"]["value"] is None
    given, out = airflow.home / "extra", airflow.home / "out-aided"
    given.mkdir()
    (given / "a b.txt").write_text("extra ")
    with web_pages(WEB_HOST, WEB_PORT) as server:
        server.pages["/words.txt"] = Page(b"one two three ")
        conf = {"dataDestination": out.as_uri(), "inputs.extra": f"{given.as_uri()}/"}
        run_id = airflow.client.trigger("aided", conf)
        assert airflow.client.wait_for_run("aided", run_id) == "success", airflow.client.log(
            "aided", run_id, "partition"
        )
        asked = server.ranges()
    made = {path.name: path.read_text() for path in out.iterdir() if path.is_file()}
    assert made == {word: f"one two three extra {word}" for word in ("one", "two", "three")}
    # Beside the question for its size, of one byte: by three containers, each in a task of its own, and by an engine.
    assert len([each for each in asked if each != "bytes=0-0"]) == 1
    (listed,) = (airflow.home / "workspace" / "aided" / run_id / "plans").iterdir()
    digests = {side["name"]: side["files"][0]["sha256"] for side in json.loads(listed.read_text())["inputs"]}
    texts = {"words": b"one two three ", "extra": b"extra "}
    assert digests == {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
