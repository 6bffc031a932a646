"""`on_success` and `on_failure` of a template: what is read of them, and what is refused, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks.model import Notice, Notifier
from triptych.errors import ManifestError

PARTS = {"partitioner": "passthrough", "assembler": "passthrough"}
WEBHOOK = {"notifier": "webhook", "connection": "hook"}


@pytest.mark.parametrize("key", ["on_failure", "onFailure"])
def test_each_notifier_is_read_with_what_it_needs(tmp_path: Path, key: str) -> None:
    listed = [
        {**WEBHOOK, "endpoint": "a/b"},
        {"notifier": "email", "to": ["a@x", "b@x"]},
        {"notifier": "email", "to": "c@x"},
    ]
    template = write_app(tmp_path, "", template={**PARTS, key: listed})
    assert template.on_failure == (
        Notice(Notifier.WEBHOOK, "hook", "a/b"),
        Notice(Notifier.EMAIL, to=("a@x", "b@x")),
        Notice(Notifier.EMAIL, to=("c@x",)),
    )
    assert template.on_success == ()


@pytest.mark.parametrize(
    ("notice", "location", "words"),
    [
        ({"notifier": "webhook"}, "$.on_failure.0.connection", "is missing"),
        ({"notifier": "email", "connection": "mail"}, "$.on_failure.0.to", "is missing"),
        ({"notifier": "pager"}, "$.on_failure.0.notifier", "webhook"),
        ({**WEBHOOK, "endpiont": "x"}, "$.on_failure.0.endpiont", "Did you mean 'endpoint'?"),
        ({**WEBHOOK, "to": "a@x"}, "$.on_failure.0.to", "is no key of a notice by webhook"),
        ({**WEBHOOK, "connection": "a b"}, "$.on_failure.0.connection", "must be the id of an Airflow connection"),
        ("hook", "$.on_failure.0", "object"),
    ],
)
def test_what_nobody_could_be_told_by_is_refused_with_its_place(
    tmp_path: Path, notice: object, location: str, words: str
) -> None:
    with pytest.raises(ManifestError) as refused:
        write_app(tmp_path, "", template={**PARTS, "on_failure": [notice]})
    (line,) = refused.value.diagnostics[1:]
    assert f"template.json: {location}: " in line
    assert words in line
