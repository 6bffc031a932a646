"""Airflow's own form for a template, filled in by hand in a real browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import TEXT
from tests.support.browsers import chromium
from triptych.airflow.rest import poll
from triptych.demo.embedded import USER, EmbeddedAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
SHOWN = ("dataSource", "app.frame.width_px", "dataDestination", "name")


def _opened(page: Page, airflow: EmbeddedAirflow, dag_id: str) -> None:
    page.goto(airflow.url)
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", airflow.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "login" not in url)
    page.goto(f"{airflow.url}/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_text("Run Parameters").wait_for()


def test_what_a_job_needs_is_seen_and_filled_in_one_line_each(airflow: EmbeddedAirflow) -> None:
    client = airflow.client
    client.wait_for_dag("framed")
    before = {run["dag_run_id"] for run in client.runs("framed")}
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 1500})
        _opened(page, airflow, "framed")
        field = {key: page.locator(f"[name='element_{key}']") for key in (*SHOWN, "app.frame.style")}
        field["dataSource"].wait_for()
        shown = [each.get_attribute("name") for each in page.locator("[name^=element_]:visible").all()]
        assert shown == [f"element_{key}" for key in SHOWN]
        assert page.get_by_text("Frame: width (px) (required)").is_visible()
        assert field["dataSource"].evaluate("field => field.tagName") == "INPUT"
        field["dataSource"].fill(json.dumps([TEXT.as_uri(), TEXT.as_uri()]))
        field["app.frame.width_px"].fill("7")
        page.get_by_role("button", name="App", exact=True).click()
        field["app.frame.style"].fill("dotted")
        page.get_by_role("button", name="Trigger").last.click()
        assert poll(lambda: len(client.runs("framed")) > len(before), 60, 0.5)
    (run_id,) = {run["dag_run_id"] for run in client.runs("framed")} - before
    assert client.wait_for_run("framed", run_id) == "success", client.log("framed", run_id, "partition")
    made = [json.loads(path.read_text()) for path in sorted(airflow.home.glob("workspace/outputs/framed/*/*.json"))]
    assert made == [{"frame": {"width_px": 7, "style": "dotted"}}] * 2
