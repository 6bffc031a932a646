"""docker-compose.yaml as Compose reads it: by hand compared with 2.40.3, the same services and environments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]  # Its stubs are no requirement of ours.

from triptych.settings import PROJECT

AIRFLOW = {"init", "api-server", "scheduler", "dag-processor", "triggerer"}
OF_CELERY = {"redis", "worker", "engine"}
"""Of the profiles `celery` and `engine`."""
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


def _filled(text: str, given: Mapping[str, str]) -> str:
    """As Compose interpolates: `${NAME}`, `${NAME:-default}`, `${NAME:?error}`; `$$` is one `$`."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[2] == "?" and not given.get(match[1]):
            raise KeyError(match[1])
        return given.get(match[1]) or (match[3] or "" if match[2] == "-" else "")

    return _VARIABLE.sub(value, text)


def services_of(given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Each service by its name, as the variables make it; KeyError, with its name, for one that has to be set."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return _filled(value, given) if isinstance(value, str) else value

    text = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    services: dict[str, dict[str, Any]] = filled(yaml.safe_load(text)["services"])
    return services


def needed() -> dict[str, str]:
    """What the head of the file says has to be set, with some value of each."""
    text = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    head = text.partition("x-airflow")[0].partition("# With an object store")[0]
    return {name: f"/{name.lower()}" for name in re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b", head)}
