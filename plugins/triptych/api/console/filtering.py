"""Which of the jobs that one sees a list shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.api import views
from triptych.api.answers import ApiError
from triptych.api.bodies import camel_keys, text_of
from triptych.api.callers import Caller
from triptych.api.drafts import Draft
from triptych.schemas.diagnostics import nearest_or_all

MOST_LOOKED_AT = 1000
"""Of the newest runs, those that a text is looked for in: Airflow knows no such filter."""
_PAGE = 100
_KEYS = ("templateId", "state", "text")


@dataclass(frozen=True)
class Filters:
    """Of one template, in one state, with a text in what a list shows of it; empty ones take all."""

    template_id: str = ""
    state: str = ""
    text: str = ""

    def takes_template(self, template_id: str) -> bool:
        """Whether its jobs are wanted."""
        return self.template_id in ("", template_id)

    def takes_draft(self, draft: Draft, templates: Sequence[str]) -> bool:
        """Whether a draft is wanted, which must be of one of these."""
        is_new = self.state in ("", views.NEW)
        texts = (draft.name, draft.description, draft.template, draft.id)
        return draft.template in templates and is_new and self._is_in(texts)

    def takes_run(self, run: Mapping[str, Any]) -> bool:
        """Whether the text is in what Airflow says of a run."""
        name = (run.get("conf") or {}).get("name")
        return self._is_in((str(name or ""), run.get("note") or "", run["dag_id"], run["dag_run_id"]))

    def _is_in(self, texts: Sequence[str]) -> bool:
        wanted = self.text.casefold()
        return any(wanted in text.casefold() for text in texts)


def filters_of(given: Mapping[str, Any]) -> Filters:
    """From the object `filters` of a body; ApiError for what is none of them."""
    named = camel_keys(given)
    if unknown := [key for key in named if key not in _KEYS]:
        raise ApiError(400, "\n".join(f"filters.{key}: is unknown.{nearest_or_all(key, _KEYS)}" for key in unknown))
    state = text_of(named, "state")
    if state not in ("", views.NEW, *views.OF_RUNS.values()):
        known = ", ".join((views.NEW, *views.OF_RUNS.values()))
        raise ApiError(400, f"filters.state: is one of {known}.")
    return Filters(text_of(named, "templateId"), state, text_of(named, "text"))


async def filtered_runs(
    caller: Caller, dags: Sequence[str], filters: Filters, order: Mapping[str, str], offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """The runs of these DAGs, as many as are wanted from `offset` on, and how many there are."""
    states = [word for word, state in views.OF_RUNS.items() if state == filters.state]
    # Airflow takes no list of DAGs for all of them, nor one of states.
    if not dags or (filters.state and not states):
        return [], 0
    wanted: dict[str, Any] = {"dag_ids": list(dags), **order, **({"states": states} if states else {})}
    if not filters.text:
        page = await _page(caller, wanted, offset, limit)
        return page["dag_runs"], page["total_entries"]
    found: list[dict[str, Any]] = []
    for begin in range(0, MOST_LOOKED_AT, _PAGE):
        page = await _page(caller, wanted, begin, _PAGE)
        found += [run for run in page["dag_runs"] if filters.takes_run(run)]
        if begin + _PAGE >= page["total_entries"]:
            break
    return found[offset : offset + limit], len(found)


async def _page(caller: Caller, wanted: Mapping[str, Any], offset: int, limit: int) -> dict[str, Any]:
    body = {**wanted, "page_offset": offset, "page_limit": limit}
    return await caller.airflow.call("POST", "dags/~/dagRuns/list", body)
