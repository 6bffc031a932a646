"""`{{ ds }}` and its like in locations and parameters: the run's dates, and nothing else of Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from triptych.errors import JobSpecError


def render(text: str, dates: Mapping[str, str] | None) -> str:
    """Fill in the run's dates, in a sandbox; JobSpecError for what is no template or names something else."""
    if "{{" not in text:
        return text
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    try:
        template = SandboxedEnvironment(undefined=jinja2.StrictUndefined).from_string(text)
        return template.render(dates or {})
    except jinja2.TemplateError as error:
        known = ", ".join(dates or {}) or "none, since this run has no logical date"
        msg = f"{json.dumps(text)}: {error}. Names that can be used here: {known}."
        raise JobSpecError(msg) from None


def render_all(value: Any, dates: Mapping[str, str] | None) -> Any:
    """The same for every text in a JSON value, at any depth; keys stay as they are."""
    if isinstance(value, str):
        return render(value, dates)
    if isinstance(value, list):
        return [render_all(item, dates) for item in value]
    if isinstance(value, Mapping):
        return {key: render_all(item, dates) for key, item in value.items()}
    return value
