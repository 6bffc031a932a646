"""A web server as source through a real Airflow: where the operator allows it, by the connection's login."""

from __future__ import annotations

import base64

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
