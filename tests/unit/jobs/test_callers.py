"""What a caller may write into a job spec: data, and the connections that somebody listed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.support.include_folders import write_app
from triptych.blocks import Role, Template, read_catalog
from triptych.errors import JobSpecError
from triptych.jobs.spec import build_job_spec

SCHEMA = {"type": "object", "properties": {"text": {}, "day": {"type": "string"}}, "additionalProperties": False}
OWN = {
    "dataSource": {"uri": "s3://own/{{ ds }}/*.csv", "conn_id": "own_store"},
    "params": {"app": {"day": "{{ds_nodash}}", "text": ["{{{{ ds }}", {"{{ ds }}": "{{ ts }}"}]}},
    "connections": ["listed"],
}
DATES = {"ds": "2026-01-02", "ds_nodash": "20260102", "ts": "2026-01-02T00:00:00+00:00"}
BOMBS = [
    "{{ 'x' * 3000000000 }}",
    "{% for a in range(10**9) %}{% for b in range(10**9) %}x{% endfor %}{% endfor %}",
    "{{ ds }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ var.value.secret }}",
    "{{ conn.own_store.password }}",
    "{{",
    "{{{{ ds }}",
    "{# x #}",
]


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return write_app(tmp_path, "", schema=SCHEMA, template=OWN)


@pytest.mark.parametrize("text", BOMBS)
def test_a_callers_text_is_data(template: Template, text: str) -> None:
    conf = {"dataSource": f"file:///in/{text}", "dataDestination": f"file:///out/{text}"}
    spec = build_job_spec(template, {**conf, "params": {"app": {"text": text}}, "app.day": f"-{text}"}, DATES)
    assert spec.sources[0].uri == f"file:///in/{text}"
    assert spec.destination is not None
    assert spec.destination.uri == f"file:///out/{text}"
    assert (spec.params[Role.APP]["text"], spec.params[Role.APP]["day"]) == (text, f"-{text}")
    assert "jinja2.sandbox" not in sys.modules or "airflow" in sys.modules


@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("{}% ds|'*.()"), max_size=30))
def test_any_callers_text_is_data(template: Template, text: str) -> None:
    spec = build_job_spec(template, {"params": {"app": {"text": text}}}, DATES)
    assert spec.params[Role.APP]["text"] == text


def test_a_templates_own_text_knows_dates(template: Template) -> None:
    spec = build_job_spec(template, {}, DATES)
    assert spec.sources[0].uri == "s3://own/2026-01-02/*.csv"
    assert spec.params[Role.APP]["day"] == "20260102"
    assert spec.params[Role.APP]["text"] == ["{{ ds }}", {"{{ ds }}": "2026-01-02T00:00:00+00:00"}]


def test_what_the_form_gives_back_is_the_templates_own(template: Template) -> None:
    conf = {"dataSource": OWN["dataSource"], "app.day": "{{ds_nodash}}"}
    assert build_job_spec(template, conf, DATES) == build_job_spec(template, {}, DATES)


def test_a_date_that_is_not_there_matters_where_it_is_used(template: Template) -> None:
    with pytest.raises(JobSpecError, match="this run has no logical date"):
        build_job_spec(template, {})
    given = {"dataSource": "file:///a", "app.day": "today", "params": {"app": {"text": ""}}}
    assert build_job_spec(template, given).sources[0].uri == "file:///a"


@pytest.mark.parametrize("text", ["{{ upstream }}", "{{ ds | upper }}", "{{ 1 + 1 }}", "{{ dss }}", "{{ }}", "{{ ds"])
@pytest.mark.parametrize("place", ["dataSource", "dataDestination", "params"])
def test_other_names_in_a_template_are_told_when_it_is_read(tmp_path: Path, text: str, place: str) -> None:
    value: Any = {"app": {"day": text}} if place == "params" else f"file:///{text}/"
    write_app(tmp_path, "", schema=SCHEMA)
    (tmp_path / "apps" / "tried" / "template.json").write_text(json.dumps({place: value}))
    (error,) = read_catalog([tmp_path]).errors
    assert error.location == ("$.params.app.day" if place == "params" else f"$.{place}")
    assert "only what a run knows can stand in braces (ds, ds_nodash," in error.message


def _upstream(number: int) -> dict[str, str]:
    return {"upstream.uri": f"s3://b/{number}/", "upstream.dag_id": "first", "upstream.run_id": f"run {number}"}


def test_each_output_that_started_the_run_is_a_source(tmp_path: Path) -> None:
    sources = [{"uri": "{{ upstream.uri }}*.csv", "conn_id": "c"}, "file:///more"]
    template = write_app(tmp_path, "", template={"dataSource": sources})
    spec = build_job_spec(template, {}, None, None, [_upstream(1), _upstream(2)])
    assert [each.uri for each in spec.sources] == ["s3://b/1/*.csv", "s3://b/2/*.csv", "file:///more"]
    assert [each.conn_id for each in spec.sources] == ["c", "c", None]


def test_one_output_is_known_by_its_names_everywhere(tmp_path: Path) -> None:
    own = {"dataSource": "{{ upstream.uri }}", "dataDestination": "s3://out/{{ upstream.dag_id }}/"}
    own["params"] = {"app": {"day": "{{ upstream.run_id }}"}}  # type: ignore[assignment]  # A template of any shape.
    template = write_app(tmp_path, "", schema=SCHEMA, template=own)
    spec = build_job_spec(template, {}, None, None, [_upstream(1)])
    assert [each.uri for each in (*spec.sources, spec.destination) if each] == ["s3://b/1/", "s3://out/first/"]
    assert spec.params[Role.APP]["day"] == "run 1"
    for others in ((), [_upstream(1), _upstream(2)]):
        with pytest.raises(JobSpecError, match="was not started by one output of another job"):
            build_job_spec(template, {}, None, None, others)
    with pytest.raises(JobSpecError, match="was not started by one output of another job"):
        build_job_spec(template, {}, None, None)


def test_what_is_typed_as_json_into_a_line_is_an_object_or_a_list(template: Template) -> None:
    typed = '{"uri": "s3://b/k", "conn_id": "listed"}'
    spec = build_job_spec(template, {"dataSource": f"[{typed}, {typed}]", "dataDestination": f" {typed}"}, DATES)
    assert [(each.uri, each.conn_id) for each in spec.sources] == [("s3://b/k", "listed")] * 2
    assert spec.destination is not None
    with pytest.raises(JobSpecError, match="is none that a caller may name"):
        build_job_spec(template, {"dataSource": typed.replace("listed", "other")}, DATES)
    for odd in ('["\\ud800"]', "[" * 200 + "]" * 200, "{", '{"url": 1}'):
        with pytest.raises(JobSpecError, match="dataSource"):
            build_job_spec(template, {"dataSource": odd}, DATES)


@pytest.mark.parametrize("text", ["in/data.csv", "/data/in.csv", "C:\\data\\in.csv", "~/in.csv", "data.csv"])
@pytest.mark.parametrize("key", ["dataSource", "dataDestination"])
def test_a_path_is_told_to_be_none(template: Template, key: str, text: str) -> None:
    with pytest.raises(JobSpecError, match=rf"{key}: .*is a path, and no URI: .*file:///"):
        build_job_spec(template, {key: text}, DATES)


STORES = [
    "s3://b/k",
    {"uri": "s3://b/k", "conn_id": "team_b"},
    {"uri": "gs://b/k", "conn_id": "Own_Store"},
    {"uri": "file:///a", "conn_id": "team_b"},
    {"dataSourceDescriptor": "s3", "params": {"bucket": "b", "key": "k"}},
    {"dataSourceDescriptor": "S3", "params": {"bucket": "b", "key": "k", "connId": "team_b"}},
]


@pytest.mark.parametrize("store", STORES, ids=str)
def test_a_connection_that_nobody_listed_is_refused(template: Template, store: Any) -> None:
    for conf in ({"dataSource": store}, {"dataSource": ["file:///a", store]}, {"dataDestination": store}):
        with pytest.raises(
            JobSpecError, match=r"in `connections` of template\.json, an operator in \[triptych\]"
        ) as caught:
            build_job_spec(template, conf, DATES, ["operators"])
        assert "Listed for tried: listed, operators, own_store." in str(caught.value)
        assert build_job_spec(template, conf, DATES, None)


@pytest.mark.parametrize("name", ["own_store", "listed", "operators"])
def test_a_listed_connection_may_be_named(template: Template, name: str) -> None:
    conf = {"dataSource": {"uri": "s3://b/k", "conn_id": name}}
    assert build_job_spec(template, conf, DATES, ["operators"]).sources[0].conn_id == name


def test_the_workers_credentials_may_be_listed(template: Template) -> None:
    assert build_job_spec(template, {"dataSource": "s3://b/k"}, DATES, ["@environment"]).sources[0].conn_id is None
    with pytest.raises(JobSpecError, match="must be the id of an Airflow connection"):
        build_job_spec(template, {"dataSource": {"uri": "s3://b/k", "conn_id": "@environment"}}, DATES, None)
