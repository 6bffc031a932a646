"""The corpus of bad blocks, all at once, by the path of Airflow's DAG processor: each is one broken DAG, and alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization

from tests.support.bad_blocks import BAD, SOUND, write_bad, write_healthy, write_sound
from triptych.airflow.factory import find_template
from triptych.errors import JobSpecError, ManifestError
from triptych.jobs.spec import build_job_spec
from triptych.settings import PROJECT, get_settings

HEALTHY = ("aaa_first", "mmm_between", "zzz_last")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An include folder with the whole corpus, and healthy apps of other teams."""
    home = tmp_path_factory.mktemp("corpus")
    include = home / "include"
    for name in BAD:
        write_bad(include, name)
    for name in SOUND:
        write_sound(include, name)
    for name in HEALTHY:
        write_healthy(include, name)
    return home


@pytest.fixture
def configured(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__INCLUDE", str(folders / "include"))
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__SCRATCH", str(folders / "scratch"))
    get_settings.cache_clear()
    return folders / "include"


def _processed() -> Mapping[str, Mapping[str, Any]]:
    """What the DAG processor sends on of our DAG file: each DAG's data by id; no error of import or of storing."""
    file = PROJECT / "dags" / "triptych_jobs.py"
    bag = BundleDagBag(dag_folder=str(file), bundle_path=file.parent, bundle_name="dags", load_op_links=False)
    stored, errors = _serialize_dags(bag, structlog.get_logger())
    assert {**bag.import_errors, **errors} == {}
    return {dag.dag_id: msgspec.msgpack.decode(msgspec.msgpack.encode(dag.data)) for dag in stored}


@pytest.fixture
def processed(configured: Path) -> Mapping[str, Mapping[str, Any]]:
    return _processed()


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(BAD) + len(SOUND) >= 60


def test_each_bad_block_is_one_broken_dag_that_says_why(processed: Mapping[str, Mapping[str, Any]]) -> None:
    assert sorted(processed) == sorted([*BAD, *SOUND, *HEALTHY])
    for name, data in processed.items():
        dag = DagSerialization.from_dict(dict(data))
        assert isinstance(dag, SerializedDAG)
        assert sorted(dag.task_dict) == ["app", "assemble", "partition"], name
        is_broken = "broken" in dag.tags
        assert is_broken == (name in BAD), (name, dag.description)
        if is_broken:
            _check_reason(name, dag)


def _check_reason(name: str, dag: SerializedDAG) -> None:
    said = str(dag.doc_md)
    assert BAD[name].says in said, (name, said)
    shown = dag.dag_display_name
    assert shown.startswith(f"{name}: "), shown
    assert len(shown) <= 250
    assert shown.isprintable()
    assert not set(shown) & set("<>`")
    assert json.loads(json.dumps(shown, allow_nan=False)).encode() == shown.encode()


def test_what_was_found_out_is_found_again(processed: Mapping[str, Mapping[str, Any]]) -> None:
    """The second parse goes by the verdicts that the first one kept."""

    def told(dags: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {name: data["dag"].get("dag_display_name", name) for name, data in dags.items()}

    assert told(_processed()) == told(processed)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("configured")
def test_a_job_of_a_bad_block_fails_with_the_reason(name: str) -> None:
    with pytest.raises(ManifestError) as told:
        find_template(name)
    assert BAD[name].says in str(told.value)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.usefixtures("configured")
def test_the_whole_schema_judges_a_job(name: str) -> None:
    template = find_template(name)
    for params in SOUND[name].takes:
        build_job_spec(template, {"params": {"app": params}})
    for params in SOUND[name].refuses:
        with pytest.raises(JobSpecError, match=r"params\.app"):
            build_job_spec(template, {"params": {"app": params}})


@pytest.mark.parametrize("name", SOUND)
def test_the_form_takes_what_the_schema_takes(name: str, processed: Mapping[str, Mapping[str, Any]]) -> None:
    """As the API server judges a launch: it may let more through, and nothing less."""
    dag = DagSerialization.from_dict(dict(processed[name]))
    for params in SOUND[name].takes:
        given = {f"app.{key}": value for key, value in params.items() if f"app.{key}" in dag.params}
        for conf in (given, {"params": {"app": params}}):
            form = dag.params.deep_merge(conf)
            form.validate()
