"""Every command, option, key, setting, variable, file and exit code that a message or a page names exists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from tests.support.known_names import unknown_names
from tests.support.names_of_others import MADE_ON_THE_WAY, OPTIONS_OF_OTHERS, WORDS
from tests.support.told_texts import Told, messages, pages, told
from triptych.blocks import read_catalog


@pytest.mark.parametrize("texts", [messages, pages])
def test_what_is_named_exists(texts: Callable[[], Sequence[Told]]) -> None:
    found = texts()
    assert len(found) > 20
    assert {text.place: names for text in found if (names := unknown_names(text))} == {}


def test_every_exception_is_needed() -> None:
    everything = "\n".join(part for text in (*messages(), *pages()) for part in (text.source, *text.code))
    assert [name for name in {*WORDS, *MADE_ON_THE_WAY, *OPTIONS_OF_OTHERS} if name not in everything] == []


SOUND = [
    "`triptych run wordcount --source 'a' -p app.case=keep`, then `triptych job show RUN --log 1`.",
    "See `triptych engine list`, or triptych app new captions && triptych run captions --source x",
    "Raise device_requirements.min_memory, or `deviceRequirements.minMemory`, or platform_config.network.",
    "[triptych] scratch = 'x', AIRFLOW__TRIPTYCH__CACHE, the setting `network`, AIRFLOW__CORE__PARALLELISM.",
    "`config.sample` is 3; `make up` keeps it; `scripts/base_image.sh` makes it: tests/unit/docs.",
    "`airflow connections add x --conn-type docker --conn-host H`, `airflow db migrate`",
    "`TASK_DIR` and `min_cpu` of `rows`; it ends with exit code 8, or exit codes 3 to 14.",
    "see tests/unit/docs/test_names_exist.py::test_every_exception_is_needed",
]


@pytest.mark.parametrize("text", SOUND)
def test_what_exists_is_found(text: str) -> None:
    assert unknown_names(told("here", text)) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Call `triptych runn wordcount`.", "triptych runn"),
        ("Example: triptych engine preview rows --limitt 5", "--limitt"),
        ("`triptych job show RUN --new-code keep`", "--new-code"),
        ("`triptych engines list` shows them all.", "triptych engines"),
        ("or give --new-codes keep", "--new-codes"),
        ("Raise device_requests.min_memory in its manifest.", "device_requests.min_memory"),
        ("Raise device_requirements.min_memry.", "device_requirements.min_memry"),
        ("Set platformConfig.netwrk.", "platformConfig.netwrk"),
        ("Set `config.exising`.", "config.exising"),
        ("[triptych] scrtch = 'x' is none of these.", "scrtch"),
        ("Set AIRFLOW__TRIPTYCH__WORKSPACES to a URI.", "WORKSPACES"),
        ("Set AIRFLOW__CORE__PARALLELISMS.", "AIRFLOW__CORE__PARALLELISMS"),
        ("the setting `netwrk`", "netwrk"),
        ("`make upp` keeps it", "make upp"),
        ("`scripts/base_images.sh` makes it", "scripts/base_images.sh"),
        ("see tests/unit/docs/test_names_exist.py::test_nothing", "test_nothing"),
        ("`airflow connection add x`", "airflow connection"),
        ("`airflow connections add x --connn-type y`", "--connn-type"),
        ("read TASK_DIRS/data.bin", "TASK_DIRS"),
        ("it ends with exit code 77", "exit code 77"),
        ("`min_cpus` is a hard limit", "min_cpus"),
        ("```sh\ntriptych run wordcount --sorce x\n```\n", "--sorce"),
    ],
)
def test_what_does_not_exist_is_named(text: str, named: str) -> None:
    assert any(named in name for name in unknown_names(told("here", text)))


def test_the_source_is_read_with_what_is_filled_in() -> None:
    assert any("`triptych {} list`" in text.source for text in messages())
    assert any(text.place == "plugins/triptych/schemas/manifest.schema.json" for text in messages())


@pytest.mark.parametrize("inside", [None, "platform_config"])
@pytest.mark.parametrize("key", ["zzz", "pasword", "registry_token_", "secret_kee", "API_KEYS"])
def test_a_credential_is_offered_for_no_unknown_key(tmp_path: Path, inside: str | None, key: str) -> None:
    app = write_app(tmp_path, "", manifest={key: 1}).app
    manifest = app.folder / "manifest.json"
    about = json.loads(manifest.read_text())
    if inside:
        about[inside][key] = about.pop(key)
        manifest.write_text(json.dumps(about))
    (warning,) = read_catalog([tmp_path]).warnings
    said = warning.message.partition("ignored.")[2]
    assert said, "Either the nearest key, or all that are known."
    assert not re.search("passw|token|(secret|access|api)_?key", said, re.IGNORECASE)
